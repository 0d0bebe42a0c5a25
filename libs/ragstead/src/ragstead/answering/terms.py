"""Turns text into comparable terms for answering: lower-cased, stopped, stemmed; CJK as character bigrams.

Beside `ragstead.analysis`, whose stems and stopwords these are, words keep their place and their case here: names,
numbers and neighbours tell what answers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from ragstead.analysis import STOPWORDS as FUNCTION_WORDS
from ragstead.analysis import stem_word

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
_TOKEN = re.compile(rf"[{_CJK}]+|[^\W_{_CJK}]+(?:['\u2019][^\W_{_CJK}]{{1,2}}\b)?")
_IS_CJK = re.compile(rf"[{_CJK}]")

STOPWORDS = (
    frozenset(
        """a an the of in on at to for from by with as is are was were be been being am do does did doing done
    has have had having
    it its itself he him his she her hers they them their theirs this that these those there here i me my we
    us our you your
    and or but if then than so such into onto about over under between among through during after before
    above below up down out off
    what which who whom whose when where why how can could will would shall should may might must not no nor
    only own same too very
    s t d ll m re ve also any some each other more most all both just because while until again further
    once""".split()
    )
    | FUNCTION_WORDS
)


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """Return the Snowball English stem of a lower-cased word, its possessive ending dropped."""
    bare = word[:-2] if word.endswith(("'s", "\u2019s")) else word
    return stem_word(bare)


def tokens(text: str) -> Iterator[tuple[str, int]]:
    """Yield (word, offset) as written; a run of CJK characters gives its overlapping bigrams."""
    for match in _TOKEN.finditer(text):
        word, at = match.group(), match.start()
        if _IS_CJK.match(word) and len(word) > 1:
            for i in range(len(word) - 1):
                yield word[i : i + 2], at + i
        else:
            yield word, at


def is_function_word(lowered: str) -> bool:
    """Whether a lower-cased word carries no content, seen without what an apostrophe joins to it."""
    return lowered.partition("'")[0].partition("\u2019")[0] in STOPWORDS


def content_terms(text: str) -> list[str]:
    """Stems of the words of `text` that carry content, in order, repeats kept."""
    lowered = (word.lower() for word, _ in tokens(text))
    return [stem(word) for word in lowered if not is_function_word(word)]
