"""An answer's words against gold ones, compared as SQuAD's scorer does.

Both sides are lower-cased, freed of citation marks, punctuation and English articles, and cut at white space. An
answer is as good as the gold string that it fits best; no gold strings, or an empty answer, score 0.

Source: Rajpurkar et al., EMNLP 2016, arXiv:1606.05250, section 6.1. Punctuation becomes a space, rather than nothing
as there, so that `20-day` and `20 day` agree.
"""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Sequence

from ragstead.marks import without_marks

_ARTICLES = frozenset({"a", "an", "the"})
_PUNCTUATION = str.maketrans(dict.fromkeys(string.punctuation, " "))


def normalised(text: str) -> str:
    """Lower case, without marks, punctuation and articles, words separated by one space."""
    plain = without_marks(text).lower().translate(_PUNCTUATION)
    return " ".join(word for word in plain.split() if word not in _ARTICLES)


def contains(answer: str, gold: Sequence[str]) -> bool:
    """Return whether the words of a gold string stand in the answer, next to each other and in their order."""
    said = f" {normalised(answer)} "
    return any(f" {wanted} " in said for wanted in map(normalised, gold) if wanted)


def exact_match(answer: str, gold: Sequence[str]) -> bool:
    """Return whether the answer is a gold string, and nothing more."""
    said = normalised(answer)
    return bool(said) and any(normalised(one) == said for one in gold)


def token_f1(answer: str, gold: Sequence[str]) -> float:
    """Harmonic mean of precision and recall of the answer's words, in [0, 1], of the best gold string.

    ``2 * shared / (words of the answer + words of the gold string)``, where a word counts as often as it stands in
    both. An answer in whole sentences scores low against a gold string of a few words, however right it is.
    """
    said = Counter(normalised(answer).split())
    return max((_f1(said, Counter(normalised(one).split())) for one in gold), default=0.0)


def _f1(said: Counter[str], wanted: Counter[str]) -> float:
    shared = (said & wanted).total()
    return 2 * shared / (said.total() + wanted.total()) if shared else 0.0
