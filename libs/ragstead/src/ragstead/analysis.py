"""Text to the terms that BM25 counts; documents and queries go through the same function.

NFKC, case folding, words (letters and digits of any script, with their marks), English stopwords out,
Snowball English stems. Scripts written without spaces between words (Chinese, Japanese, Thai, ...) and Korean
give single characters and pairs of neighbours, so that any part of such a text is found.

An index remembers `ANALYSIS_IDENTITY`: change a table or a pattern here and it changes by itself; change the
code and raise `_REVISION`.

Not known here: languages other than English have no stems and no stopwords.
"""

from __future__ import annotations

import hashlib
import re
import threading
import unicodedata
from collections.abc import Iterator
from itertools import pairwise

import Stemmer

_REVISION = 1

_FUNCTION_WORDS = """
    a about above after again against all also am an and any are as at be because been before being
    below between both but by can could did do does doing down during each few for from further had has
    have having he her here hers herself him himself his how i if in into is it its itself just me more
    most my myself no nor not now of off on once only or other our ours ourselves out over own same
    shall she should so some such than that the their theirs them themselves then there these they this
    those through to too under until up upon us very was we were what when where which while who whom
    whose why will with would you your yours yourself yourselves s t d ll m re ve ain aren couldn didn
    doesn don hadn hasn haven isn mustn shan shouldn wasn weren won wouldn
"""

STOPWORDS = frozenset(_FUNCTION_WORDS.split())
"""English function words, which carry no evidence; compared after case folding, before stemming."""

MAX_TERM_CHARS = 64
"""A longer run of letters is no word; its head stands for it."""

_MARKS = r"\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0900-\u0963\u0966-\u0dff"
_UNSPACED = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17d3"  # Thai, Lao, Burmese, Khmer
    r"\u3005-\u3007\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff"  # kana
    r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af\U00020000-\U000323af"  # Han, Hangul
)
_WORD = rf"(?:[^\W_{_UNSPACED}]|[{_MARKS}])+"
_TOKEN = re.compile(rf"([{_UNSPACED}]+)|{_WORD}")
_PIECE = re.compile(r"(?s:.{0,999}\s|.{1,1000})")

_IDENTIFYING = (
    str(_REVISION),
    str(Stemmer.version()),
    _TOKEN.pattern,
    str(MAX_TERM_CHARS),
    *sorted(STOPWORDS),
)

ANALYSIS_IDENTITY = "english-" + hashlib.sha256("\n".join(_IDENTIFYING).encode()).hexdigest()[:12]
"""Names the analysis an index was built with."""


class _ThreadStemmers(threading.local):
    """One stemmer a thread, as a stemmer keeps state while it works."""

    def __init__(self) -> None:
        self.english = Stemmer.Stemmer("english")


_stemmers = _ThreadStemmers()


def analyse(text: str) -> list[str]:
    """Return the terms of `text` in order, repeats kept; none for a text without words.

    Takes time linear in the length of `text`, whatever it holds.
    """
    words = [word for word in _words(_normalised(text)) if word not in STOPWORDS]
    stems: list[str] = _stemmers.english.stemWords(words)
    return stems


def stem_word(word: str) -> str:
    """Return the Snowball English stem of one case-folded word, of which `MAX_TERM_CHARS` characters are read."""
    stem: str = _stemmers.english.stemWord(word[:MAX_TERM_CHARS])
    return stem


def _normalised(text: str) -> str:
    """Fold compatibility forms and case, by pieces: NFKC takes quadratic time on a run of combining marks."""
    if text.isascii():
        return text.lower()
    pieces = (unicodedata.normalize("NFKC", piece).casefold() for piece in _PIECE.findall(text))
    return "".join(pieces)


def _words(text: str) -> Iterator[str]:
    for match in _TOKEN.finditer(text):
        unspaced = match[1]
        if unspaced is None:
            yield match[0][:MAX_TERM_CHARS]
        else:
            yield from unspaced
            yield from map("".join, pairwise(unspaced))
