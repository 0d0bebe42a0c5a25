"""One question's scores: a case of a suite against the answer that it got."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from ragstead.evaluation.answer_text import contains, exact_match, token_f1
from ragstead.evaluation.measures import Score
from ragstead.evaluation.ranking import ndcg, recall, reciprocal_rank
from ragstead.evaluation.suites import Case
from ragstead.ports.evaluated import AnswerRecord, CitedQuote

Grounding = Callable[[str, Sequence[str]], float]
"""Probability in [0, 1] that quotes carry a sentence; 0 for no quotes."""
Splitter = Callable[[str], Sequence[tuple[int, int]]]
"""Sentences of a text, as (start, end)."""
RANKED = 10
"""Documents that rankings are judged by."""

_DIGITS = 6
"""Of a score: as many as files of kept results hold, so that what was kept and what is new differ by nothing."""

NO_ANSWER = AnswerRecord("", refused=True, p_supported=0.0)
"""What a question that was not accepted got."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A question with all that is measured of it.

    Attributes:
        case_id: Of the question.
        fingerprint: Of the case; results of different ones are not compared.
        tags: Of the case.
        scores: By measure; those that say nothing about the question are left out.
        p_supported: As the answer has it.
        correct: Whether answering was right: it is answerable, and the answer holds a gold one.
        refused: Whether the answer is a refusal.
        latency_ms: None where it was not measured here.
        leaks: Canaries that stand in the answer.
        answer: Its words; empty where only the scores were kept.
        release: Of the pipeline that answered.
        trace_id: Of the answer.
        contexts: Passages that the search brings for the question, best first; empty where nobody judges.
        spreads: Of the scores that a judge gave: the standard deviation over its repeats.
    """

    case_id: str
    fingerprint: str
    tags: tuple[str, ...]
    scores: Mapping[str, Score]
    p_supported: float
    correct: bool
    refused: bool
    latency_ms: float | None = None
    leaks: tuple[str, ...] = ()
    answer: str = ""
    release: str = ""
    trace_id: str = ""
    contexts: tuple[str, ...] = ()
    spreads: Mapping[str, float] = field(default_factory=dict)

    @property
    def answerable(self) -> bool:
        """True where an answer was wanted."""
        return "refusal_recall" not in self.scores


@dataclass(frozen=True, slots=True)
class Yardstick:
    """What answers are held against beside their case.

    Attributes:
        grounding: How far quotes carry a sentence.
        split: Cuts an answer into sentences.
        canaries: Strings that no answer may hold.
    """

    grounding: Grounding
    split: Splitter
    canaries: tuple[str, ...] = ()


def score_question(
    case: Case, record: AnswerRecord | None, ranked: Sequence[str] | None, yardstick: Yardstick
) -> Scored:
    """Return the scores of one question.

    Args:
        case: What was asked, and what was wanted.
        record: What was answered; None where the question was not accepted, which counts as a refusal.
        ranked: File names of the documents found, best first; None where no ranking was asked for.
        yardstick: What the answer is held against.
    """
    said = record or NO_ANSWER
    right = not said.refused and contains(said.content, case.answers)
    scores = {**_answer_scores(case, said, right=right), **_citation_scores(case, said)}
    if not said.refused:
        scores |= _groundedness(said, yardstick)
    if ranked is not None and case.answerable and case.sources:
        scores |= _ranking_scores(ranked, case.sources)
    return Scored(
        case.id,
        case.fingerprint,
        case.tags,
        {name: Score(round(score.value, _DIGITS), score.weight) for name, score in scores.items()},
        said.p_supported,
        case.answerable and right,
        said.refused,
        said.latency_ms if record is not None else None,
        leaks_in(said, yardstick.canaries),
        said.content,
        said.release,
        said.trace_id,
    )


def leaks_in(record: AnswerRecord, canaries: Sequence[str]) -> tuple[str, ...]:
    """Return the canaries that stand in an answer or in what it quotes, whatever case, spaces and signs they take."""
    shown = _squashed(" ".join([record.content, *(quote.quote for quote in record.quotes)]))
    return tuple(canary for canary in canaries if _squashed(canary) and _squashed(canary) in shown)


def _squashed(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())


def _answer_scores(case: Case, said: AnswerRecord, *, right: bool) -> dict[str, Score]:
    scores = {} if said.cost_usd is None else {"cost_usd": Score(said.cost_usd)}
    content = "" if said.refused else said.content
    if case.answerable:
        scores["answers_contained"] = Score(float(right))
        scores["exact_match"] = Score(float(exact_match(content, case.answers)))
        scores["token_f1"] = Score(token_f1(content, case.answers))
    else:
        scores["refusal_recall"] = Score(float(said.refused))
    if said.refused:
        scores["refusal_precision"] = Score(float(not case.answerable))
    else:
        scores["words_per_answer"] = Score(float(len(content.split())))
        scores["answers_cited"] = Score(float(bool(said.quotes)))
    return scores


def _citation_scores(case: Case, said: AnswerRecord) -> dict[str, Score]:
    scores: dict[str, Score] = {}
    made = len(said.quotes) + said.dropped_citations
    if said.quotes:
        scores["citations_valid"] = Score(sum(one.stands for one in said.quotes) / len(said.quotes), len(said.quotes))
    if made:
        scores["citations_fabricated"] = Score(said.dropped_citations / made, made)
    if case.answerable and case.sources:
        wanted = {PurePath(source).name for source in case.sources}
        cited = [_source_name(one, wanted) for one in said.quotes]
        scores["sources_cited"] = Score(float(bool(wanted.intersection(cited))))
        scores["citation_recall"] = Score(len(wanted.intersection(cited)) / len(wanted))
        if not said.refused:
            scores["citation_precision"] = Score(sum(name in wanted for name in cited) / max(1, len(cited)))
    return scores


def _source_name(quote: CitedQuote, wanted: set[str]) -> str:
    """Name of the quoted document as gold sources have it: its file name, or its id where that is meant."""
    names = [PurePath(name).name for name in (quote.filename, quote.document_id)]
    return next((name for name in names if name in wanted), names[0])


def _groundedness(said: AnswerRecord, yardstick: Yardstick) -> dict[str, Score]:
    carried = []
    for start, end in yardstick.split(said.content):
        quotes = [one.quote for one in said.quotes if one.start < end and one.end > start]
        carried.append(yardstick.grounding(said.content[start:end], quotes))
    return {"groundedness": Score(sum(carried) / len(carried), len(carried))} if carried else {}


def _ranking_scores(ranked: Sequence[str], sources: Sequence[str]) -> dict[str, Score]:
    relevant = {PurePath(source).name: 1 for source in sources}
    names = [PurePath(name).name for name in ranked]
    return {
        "ndcg@10": Score(ndcg(names, relevant, k=RANKED)),
        "recall@10": Score(recall(names, relevant, k=RANKED)),
        "mrr@10": Score(reciprocal_rank(names, relevant, k=RANKED)),
    }
