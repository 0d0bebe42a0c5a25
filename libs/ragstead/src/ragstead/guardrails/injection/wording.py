"""A sentence as hashed features: its words, and its shape once the words that carry the topic are classes.

The shape is what an instruction to a language model shares with another about something else: `^ REQUEST a OUTPUT in
X-ing X` for "Write a reply in flowing verse". Words are hashed, so that the weights hold no text.

Not known here: words of languages other than English and German beyond a few; they count as words and by their endings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

BUCKETS = 1 << 15
"""How many weights a model has."""

_TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?|\d+|[^\w\s]")
_MOST_TOKENS = 60
_CLASSES_ON = 3
_WORDS: Mapping[str, str] = {
    "REQUEST": """
        add adjust analyse analyze append apply arrange augment begin break build calculate can change classify combine
        compare complete compose compute conclude convert correct could count create debug decode define delete describe
        design detail detect determine develop discuss display draft edit elaborate embed encode encrypt end enhance
        enumerate estimate evaluate examine execute explain express extract fill find finish format formulate generate
        give group guess highlight hint identify imagine implement improve incorporate indicate infer inject insert
        integrate introduce invent invite jumble keep let list make mention modify name organise organize outline
        output paraphrase perform plan point predict prepare present print produce promote propose provide rank rate
        read rearrange recommend recite record reduce refer remove render repeat replace rephrase report reverse review
        rewrite run say scramble search send share show simplify solve sort speak spell start state structure submit
        substitute suggest summarise summarize swap switch teach tease tell test think trace transform translate type
        use utilise utilize verify visit walk warn would write
        schreibe schreib erzähle erzähl nenne gib zeige zeig beantworte antworte übersetze erkläre erklär beschreibe
        erstelle fasse liste sage sag mache mach verfasse generiere formuliere drucke
    """,
    "FORGET": """
        ignore disregard forget bypass override overrule neglect skip discard abandon nevermind drop cancel stop halt
        vergiss vergessen vergesse ignoriere ignorieren missachte verwirf stopp stoppe olvida olvide oublie oubliez
        ignora ignorez
    """,
    "RULES": """
        instruction instructions rule rules prompt prompts guideline guidelines direction directions order orders
        command commands directive directives policy policies restriction restrictions limitation limitations filter
        filters ethics morals moral content programming anweisung anweisungen instruktionen befehle befehl regeln
        aufträge auftrag angaben vorgaben prompttext prompttexte instrucciones
    """,
    "OUTPUT": """
        response responses reply replies answer answers output outputs message messages completion text texts sentence
        sentences paragraph poem story essay letter email speech song code script function list table summary headline
        antwort antworten ausgabe text aufgabe
    """,
    "MACHINE": """
        ai chatgpt gpt dan openai assistant model bot chatbot llm machine terminal simulator jailbreak developer mode
        persona character roleplay role system ki sprachmodell
    """,
    "PRIOR": "previous prior above before preceding earlier past former vorherigen vorherige bisherigen obigen davor zuvor gesagte",
}
_CLASS = {word: name for name, words in _WORDS.items() for word in words.split()}
_FUNCTION = frozenset(
    """
    a an the this that these those and or but if then so as at by for from in into of on onto to with without about
    after all also am any are be been being both did do does doing done each either every few had has have having he
    her hers him his how i instead it its just may me might mine more most must my no nor not now only other our ours
    out over own please same shall she should some such than their theirs them there they through too under until up
    us very was we were what when where which while who whom whose why will you your yours yourself never always
    anything everything nothing from step first second new act pretend exactly simple short based using
    der die das den dem des ein eine einen einem einer und oder aber wenn dann so als an bei für von in im zu zum zur
    mit ohne über nach alle alles auch bin ist sind sein war waren wird werden was wer wie wo wann warum welche welcher
    welches ich du er sie es wir ihr mich mir dich dir mein meine dein deine nicht kein keine nun jetzt bitte nur statt
    stattdessen danach bis hier sondern
    """.split()
)
_ENDINGS = ("tion", "ing", "ed", "ly", "er", "est", "s", "en", "e")


_HEADS = {name: crc32(f"{name} ".encode()) for name in ("w", "p", "s", "c", "f")}
_GOES_ON = np.uint32(0x9E3779B1)
_LENGTHS, _CAPITALS = (
    np.array([crc32(f"{name} {value}".encode()) for value in range(9)], dtype=np.uint32)
    for name in ("length", "capitals")
)

Hashes = NDArray[np.uint32]
Owned = tuple[Hashes, NDArray[np.int64]]
"""Hashes of features, and the pieces they are of."""


@dataclass(frozen=True, slots=True)
class Wording:
    """The features of several pieces of text, each in a piece once.

    Attributes:
        buckets: In which bucket each is, below `BUCKETS`, int64 [f].
        owners: Of which piece each is, ascending, int64 [f].
        sizes: How many each piece has, none where it has no words, int64 [pieces].
    """

    buckets: NDArray[np.int64]
    owners: NDArray[np.int64]
    sizes: NDArray[np.int64]


def wording_of(pieces: Sequence[str]) -> Wording:
    """Return the features of each piece, of which at most 60 words are read.

    Features are words, runs of up to three, the first five letters of long ones; runs of two to four shapes; pairs of
    classes that stand apart; the first word, the length and the share of words in capitals. A word is known by the
    CRC-32 of its name; a run's hash is that of the run without its last member, multiplied, and its last member's
    added, modulo 2**32.
    """
    found = [_TOKEN.findall(piece)[:_MOST_TOKENS] for piece in pieces]
    spoken = np.array([i for i, tokens in enumerate(found) if tokens], dtype=np.int64)
    if not len(spoken):
        return Wording(spoken, spoken, np.zeros(len(pieces), dtype=np.int64))
    sizes = np.array([len(tokens) for tokens in found if tokens])
    known = chain.from_iterable(map(_known, chain.from_iterable(found)))
    words, shapes, classes, prefixes, capitals = np.fromiter(known, np.uint32, 5 * int(sizes.sum())).reshape(-1, 5).T
    each = np.arange(len(spoken))
    own = each.repeat(sizes)
    first = sizes.cumsum() - sizes
    shouted = np.add.reduceat(capitals, first).astype(np.int64) * 4 // sizes
    parts = [
        (words, own),
        *_runs(words, own, 3),
        *_shape_runs(shapes, own, sizes),
        *_pairs(classes[classes > 0], own[classes > 0]),
        (prefixes[prefixes > 0], own[prefixes > 0]),
        (words[first] + np.uint32(_HEADS["f"]), each),
        (_LENGTHS[np.minimum(8, sizes // 4)], each),
        (_CAPITALS[shouted], each),
    ]
    hashed = _scattered(np.concatenate([hashes for hashes, _ in parts])).astype(np.int64) % BUCKETS
    keys = np.sort(spoken[np.concatenate([owners for _, owners in parts])] * BUCKETS + hashed)
    keys = keys[np.concatenate([[True], keys[1:] > keys[:-1]])]
    owners = keys // BUCKETS
    return Wording(keys % BUCKETS, owners, np.bincount(owners, minlength=len(pieces)))


def _runs(members: Hashes, own: NDArray[np.int64], longest: int) -> Iterator[Owned]:
    """Give all runs of two to so many neighbours of one piece."""
    run = members
    for further in range(1, longest):
        run = run[:-1] * _GOES_ON + members[further:]
        within = own[further:] == own[:-further]
        yield run[within], own[further:][within]


def _shape_runs(shapes: Hashes, own: NDArray[np.int64], sizes: NDArray[np.int64]) -> Iterator[Owned]:
    """Give the runs of two to four shapes, with a mark before a piece's first and one behind its last."""
    marked = np.repeat(np.arange(len(sizes)), sizes + 2)
    members = np.full(len(marked), _LAST, dtype=np.uint32)
    members[np.cumsum(sizes + 2) - sizes - 2] = _FIRST
    members[np.arange(len(shapes)) + 2 * own + 1] = shapes
    return _runs(members, marked, 4)


def _pairs(classes: Hashes, own: NDArray[np.int64]) -> Iterator[Owned]:
    """Give the pairs of each class with each of the next three classes in its piece, whatever stands between them."""
    firsts = classes * _GOES_ON
    for further in range(1, _CLASSES_ON + 1):
        within = own[further:] == own[:-further]
        yield (firsts[:-further] + classes[further:])[within], own[further:][within]


def _scattered(hashes: Hashes) -> Hashes:
    """Return the hashes with every bit of one telling in its lowest (the finaliser of MurmurHash 3)."""
    mixed = (hashes ^ (hashes >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    mixed = (mixed ^ (mixed >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return mixed ^ (mixed >> np.uint32(16))


@lru_cache(maxsize=16384)
def _known(token: str) -> tuple[int, int, int, int, int]:
    """Return a token's hashes: as a word, a shape, a class, of its first letters (0 for none); 1 for one in capitals."""
    word = "0" if token.isdigit() else token.lower()
    known, prefix = _CLASS.get(word), _hashed("p", word[:5]) if len(word) > 5 else 0
    in_capitals = int(token.isupper() and len(token) > 1)
    return _hashed("w", word), _hashed("s", _shape(word)), _hashed("c", known) if known else 0, prefix, in_capitals


def _hashed(head: str, name: str) -> int:
    return crc32(name.encode("utf-8", "surrogatepass"), _HEADS[head])


def _shape(word: str) -> str:
    known = _CLASS.get(word)
    if known is not None:
        return known
    if word in _FUNCTION or not word[0].isalpha():
        return word
    return next((f"X-{ending}" for ending in _ENDINGS if word.endswith(ending) and len(word) > len(ending) + 2), "X")


_FIRST, _LAST = _hashed("s", "^"), _hashed("s", "$")
