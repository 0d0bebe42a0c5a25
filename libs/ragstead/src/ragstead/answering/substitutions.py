"""Words of a question whose place in the evidence another word has taken.

"through two consistent theories" beside "through one consistent theory": the neighbour `consistent` is there, and what
stands before it is not what was asked for. And words that the evidence holds, each, but joins to other ones: "Byzantine
mercenary" beside "Norman mercenaries served as Byzantine generals".
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from ragstead.answering.answer_types import NUMBER_WORDS
from ragstead.answering.terms import is_function_word, stem, tokens

SUBSTITUTION_FEATURES = (
    *("replaced", "replaced_weight", "replaced_in_kind", "replaced_number", "replaced_name"),
    *("adjoining", "parted"),
)
_ASKED_FOR = frozenset(
    map(
        stem,
        """type types kind sort name names called call term word known many much year years date day city country
        state person people group thing example way reason part number amount percent percentage used use mean means
        refer refers considered made make get give describe described purpose role method process result cause caused
        happen happened become became do say said believe believed occur occurred take place located""".split(),
    )
)
"""Words that questions are asked with: the evidence need not hold them."""


@dataclass(frozen=True, slots=True)
class Words:
    """A text as it is compared here.

    Attributes:
        written: Every word, in order.
        stems: The stem of each.
        held: The stems.
        content: Places of the words that carry content.
    """

    written: tuple[str, ...]
    stems: tuple[str, ...]
    held: frozenset[str]
    content: tuple[int, ...]

    def kind(self, place: int) -> str:
        """`number`, `name` (a capital inside the text) or `word`."""
        word = self.written[place]
        if any(map(str.isdigit, word)) or word.lower() in NUMBER_WORDS:
            return "number"
        return "name" if place and word[0].isupper() else "word"

    @property
    def terms(self) -> Iterator[str]:
        """Stems of the words that carry content, in order: `content_terms` of the text."""
        return (self.stems[place] for place in self.content)

    def says_something(self, place: int) -> bool:
        """Whether a place is in the text and its word carries content."""
        return 0 <= place < len(self.written) and not is_function_word(self.written[place].lower())


def words_of(text: str) -> Words:
    """Read `text`."""
    written = tuple(word for word, _ in tokens(text))
    stems = tuple(stem(word.lower()) for word in written)
    content = tuple(place for place, word in enumerate(written) if not is_function_word(word.lower()))
    return Words(written, stems, frozenset(stems), content)


def similar(one: str, other: str) -> bool:
    """Whether two stems look like forms of one word: a common beginning, or most of their trigrams."""
    shorter = min(len(one), len(other))
    if shorter >= 4 and one[: max(4, shorter - 2)] == other[: max(4, shorter - 2)]:
        return True
    if shorter < 5:
        return one == other
    left, right = ({word[i : i + 3] for i in range(len(word) - 2)} for word in (one, other))
    return 2 * len(left & right) >= 0.6 * (len(left) + len(right))


def substitution_features(
    question: Words, sentence: Words, weights: Mapping[str, float], heads: Collection[str]
) -> dict[str, float]:
    """Return `SUBSTITUTION_FEATURES` by name.

    Args:
        question: What was asked.
        sentence: The sentence that is to answer it.
        weights: Weight in 0..1 of the question's terms; one that is not named weighs 0.3.
        heads: Stems of what is asked for ("which *river*"), which the evidence need not say.
    """
    found = dict.fromkeys(SUBSTITUTION_FEATURES, 0.0)
    for place, taken in _replaced(question, sentence):
        term = question.stems[place]
        counted = float(term not in heads and term not in _ASKED_FOR)
        kind = question.kind(place)
        alike = kind == sentence.kind(taken)
        found["replaced"] += counted
        found["replaced_weight"] += counted * weights.get(term, 0.3)
        found["replaced_in_kind"] += float(alike)
        found["replaced_number"] += float(alike and kind == "number")
        found["replaced_name"] += float(alike and kind == "name")
    for first in question.content:
        if question.says_something(first + 1) and {*question.stems[first : first + 2]} <= sentence.held:
            found["adjoining"] += 1
            found["parted"] += float(_parted(sentence, *question.stems[first : first + 2]))
    return found


def _replaced(question: Words, sentence: Words) -> Iterator[tuple[int, int]]:
    """Yield the place of a word that the sentence lacks, and of the word that stands beside its neighbour instead."""
    content = question.content
    for i, place in enumerate(content):
        if question.stems[place] in sentence.held:
            continue
        for beside, step in ((i + 1, -1), (i - 1, 1)):
            if 0 <= beside < len(content):
                neighbour = question.stems[content[beside]]
                taken = _stands_beside(question, sentence, neighbour, step, question.stems[place])
                if taken is not None:
                    yield place, taken


def _stands_beside(question: Words, sentence: Words, neighbour: str, step: int, missing: str) -> int | None:
    """Place of the first word next to `neighbour` that the question does not hold, nor another form of `missing`."""
    if neighbour not in sentence.held:
        return None
    places = (place + step for place, term in enumerate(sentence.stems) if term == neighbour)
    return next((place for place in places if _is_other(question, sentence, place, missing)), None)


def _is_other(question: Words, sentence: Words, place: int, missing: str) -> bool:
    if not sentence.says_something(place):
        return False
    term = sentence.stems[place]
    return term not in question.held and not similar(term, missing)


def _parted(sentence: Words, first: str, second: str) -> bool:
    """Whether `second` never follows `first`, and follows another word that says something."""
    before = [place - 1 for place, term in enumerate(sentence.stems) if term == second and place]
    joined = any(sentence.stems[place] == first for place in before)
    return not joined and any(sentence.says_something(place) for place in before)
