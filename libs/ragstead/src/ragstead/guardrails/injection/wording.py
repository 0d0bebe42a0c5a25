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

BUCKETS = 1 << 15
"""How many weights a model has."""

_TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?|\d+|[^\w\s]")
_MOST_TOKENS = 60
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


_HEADS = {name: crc32(f"{name} ".encode()) for name in ("w", "p", "s")}


def sentence_features(sentence: str) -> set[int]:
    """Return the buckets of a sentence's features, of which at most 60 words are read; none for an empty one.

    Features are words, runs of up to three, the first five letters of long ones; runs of two to four shapes; the first
    word, the length and the share of words in capitals. Each is known by the CRC-32 of its name.
    """
    found = _TOKEN.findall(sentence)[:_MOST_TOKENS]
    if not found:
        return set()
    known = [_word("0" if token.isdigit() else token.lower()) for token in found]
    alone, spaced = [one.alone for one in known], [one.spaced for one in known]
    pairs = list(map(crc32, spaced[1:], alone))
    hashed = {*alone, *pairs, *map(crc32, spaced[2:], pairs)}
    hashed.update(_shape_runs([_FIRST, *(one.shape for one in known), _LAST]))
    hashed.update(one.prefix for one in known if one.prefix is not None)
    capitals = sum(token.isupper() and len(token) > 1 for token in found) * 4 // len(known)
    for name in (f"first {known[0].text}", f"length {min(8, len(known) // 4)}", f"capitals {capitals}"):
        hashed.add(crc32(_bytes(name)))
    return {value % BUCKETS for value in hashed}


@dataclass(frozen=True, slots=True)
class _Shape:
    """What stands in runs of shapes.

    Attributes:
        alone: CRC-32 of it behind the head of such runs.
        spaced: Its bytes behind a space.
    """

    alone: int
    spaced: bytes


@dataclass(frozen=True, slots=True)
class _Word:
    """What stands in runs of words, and for the word in runs of shapes.

    Attributes:
        text: In small letters.
        alone: CRC-32 of it behind the head of runs of words.
        spaced: Its bytes behind a space.
        prefix: CRC-32 of its first five letters; None for a short one.
        shape: What stands for it among shapes.
    """

    text: str
    alone: int
    spaced: bytes
    prefix: int | None
    shape: _Shape


def _shape_runs(shapes: Sequence[_Shape]) -> Iterator[int]:
    """Give the CRC-32 of every run of two to four neighbours; a run's goes on from that of the run that is one shorter."""
    spaced = [one.spaced for one in shapes]
    pairs = list(map(crc32, spaced[1:], [one.alone for one in shapes]))
    threes = list(map(crc32, spaced[2:], pairs))
    return chain(pairs, threes, map(crc32, spaced[3:], threes))


@lru_cache(maxsize=8192)
def _word(word: str) -> _Word:
    spelt = _bytes(word)
    prefix = crc32(_bytes(word[:5]), _HEADS["p"]) if len(word) > 5 else None
    return _Word(word, crc32(spelt, _HEADS["w"]), b" " + spelt, prefix, _as_shape(_shape(word)))


def _as_shape(shape: str) -> _Shape:
    spelt = _bytes(shape)
    return _Shape(crc32(spelt, _HEADS["s"]), b" " + spelt)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _shape(word: str) -> str:
    known = _CLASS.get(word)
    if known is not None:
        return known
    if word in _FUNCTION or not word[0].isalpha():
        return word
    return next((f"X-{ending}" for ending in _ENDINGS if word.endswith(ending) and len(word) > len(ending) + 2), "X")


_FIRST, _LAST = _as_shape("^"), _as_shape("$")
