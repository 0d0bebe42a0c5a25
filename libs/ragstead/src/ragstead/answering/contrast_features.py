"""Numbers for what turns a question into one that the evidence does not answer: negation, opposites, rivals, limits.

Each is counted against the best sentence, against the sentence with what stands before it, and against its passage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ragstead.answering.contrasts import denied_in_question, denies, modifiers, negated
from ragstead.answering.oppositions import OPPOSITES, RIVALS, opposed, rivalled
from ragstead.answering.substitutions import Words, words_of

CONTRAST_FEATURES = (
    *("opposed_sentence", "opposed_context", "opposed_passage", "modifiers", "modifiers_not_in_context"),
    *("modifiers_not_in_passage", "negated", "negated_alone", "negated_evidence", "denies", "denies_alone"),
    *("denies_evidence", "contrastive", "contrastive_not_in_context", "contrastive_not_in_passage"),
    *("contrastive_not_in_sentence", "any_missing_passage", "any_missing_context"),
    *("rivalled_sentence", "rivalled_context", "rivalled_passage", "rivals"),
    *("negated_sentence", "negated_sentence_alone", "negated_question_alone"),
    *(
        "denies_sentence_alone",
        "denies_question_alone",
        "negation_matched",
        "negation_matched_asked",
        "prefixed",
        "asked_with_not",
    ),
)
_NEGATIONS = frozenset(
    "not no never none nothing nobody neither nor without cannot except unable hardly rarely seldom".split()
)
_PREFIXES = ("un", "non", "anti", "dis", "im", "in", "ir", "il")
_REACH = 3


@dataclass(frozen=True, slots=True)
class Seen:
    """A question beside what is to answer it, from the sentence outwards.

    Attributes:
        asked: The question.
        sentence: The best sentence.
        context: The same and what stands just before it.
        question: The words of `asked`.
        words: The words of `sentence`, of `context` and of the whole passage.
    """

    asked: str
    sentence: str
    context: str
    question: Words
    words: tuple[Words, Words, Words]


def seen(asked: str, sentence: str, context: str, passage: str) -> Seen:
    """Read the texts once."""
    words = (words_of(sentence), words_of(context), words_of(passage))
    return Seen(asked, sentence, context, words_of(asked), words)


def contrast_features(texts: Seen) -> dict[str, float]:
    """Return `CONTRAST_FEATURES` by name, all 0 or more."""
    return {**_oppositions(texts), **_restrictions(texts), **_negations(texts), **_denials(texts)}


def _oppositions(texts: Seen) -> dict[str, float]:
    question = texts.question.held
    contrastive, rivals = question & OPPOSITES.keys(), question & RIVALS.keys()
    found = {"contrastive": float(len(contrastive)), "rivals": float(len(rivals))}
    for part, words in zip(("sentence", "context", "passage"), texts.words, strict=True):
        found[f"opposed_{part}"] = float(opposed(question, words.held))
        found[f"rivalled_{part}"] = float(rivalled(question, words.held))
        found[f"contrastive_not_in_{part}"] = float(len(contrastive - words.held))
    return found


def _restrictions(texts: Seen) -> dict[str, float]:
    question, (_, context, passage) = texts.question.held, texts.words
    ordering = modifiers(texts.question.written)
    return {
        "modifiers": float(len(ordering)),
        "modifiers_not_in_context": float(len(ordering - modifiers(context.written))),
        "modifiers_not_in_passage": float(len(ordering - modifiers(passage.written))),
        "any_missing_passage": len(question - passage.held) / max(1, len(question)),
        "any_missing_context": len(question - context.held) / max(1, len(question)),
    }


def _negations(texts: Seen) -> dict[str, float]:
    asked, sentence, context = negated(texts.asked), negated(texts.sentence), negated(texts.context)
    question, first = texts.question, texts.words[0]
    content = frozenset(question.stems[place] for place in question.content)
    return {
        "negated": float(asked),
        "negated_alone": float(asked and not context),
        "negated_evidence": float(context and not asked),
        "negated_sentence": float(sentence),
        "negated_sentence_alone": float(sentence and not asked),
        "negated_question_alone": float(asked and not sentence),
        "negation_matched": float(min(_REACH, _after_negation(first, content))),
        "negation_matched_asked": float(min(_REACH, _after_negation(question, first.held))),
        "asked_with_not": float(denied_in_question(texts.asked)),
    }


def _denials(texts: Seen) -> dict[str, float]:
    asked, sentence, context = denies(texts.asked), denies(texts.sentence), denies(texts.context)
    prefixed = (term for term in texts.question.stems if len(term) > 6 and term.startswith(_PREFIXES))
    return {
        "denies": float(asked),
        "denies_alone": float(asked and not context),
        "denies_evidence": float(context and not asked),
        "denies_sentence_alone": float(sentence and not asked),
        "denies_question_alone": float(asked and not sentence),
        "prefixed": float(sum(term not in texts.words[2].held for term in prefixed)),
    }


def _after_negation(words: Words, shared: frozenset[str]) -> int:
    """Number of `shared` stems that stand among the three words after a negation; a stem counts as often as it does."""
    lowered = _lowered(words.written)
    after = (words.stems[i + 1 : i + 1 + _REACH] for i, word in enumerate(lowered) if _is_negation(word))
    return sum(term in shared for reach in after for term in reach)


def _is_negation(word: str) -> bool:
    return word in _NEGATIONS or word.endswith(("n't", "n\u2019t"))


def _lowered(words: Sequence[str]) -> list[str]:
    return [word.lower() for word in words]
