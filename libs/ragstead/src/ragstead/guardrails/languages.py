"""The language that a text is written in, where its script or its small words say so."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

_SMALL_WORDS = {
    "en": "the of and to in is that for it was with are how what which does do when who why where on by from my your can i a an at this there",
    "de": "der die das und ist ein eine nicht mit den dem wie was wer wo wann warum für auf von zu im ich sie wir kann gibt es werden wird einen",
    "fr": "le la les des et est une un dans que qui pour pas sur avec comment quel quelle quels quelles où quand pourquoi je vous du au ce sont combien",
    "es": "el la los las de y es una un en que por para con cómo qué cuál quién dónde cuándo cuánto se del al no su hay son está tiene",
    "it": "il lo la gli le di e è una un che per con come quale chi dove quando perché non si della del nel sono quanto quanti ha",
    "pt": "o a os as de e é uma um em que por para com como qual quem onde quando não se do da no na são quanto há tem está",
    "nl": "de het een en is van in dat op te voor met hoe wat wie waar wanneer waarom niet zijn er aan ik wij kan worden hoeveel welke",
}
_BY_WORD: dict[str, list[str]] = {}
for _language, _words in _SMALL_WORDS.items():
    for _word in dict.fromkeys(_words.split()):
        _BY_WORD.setdefault(_word, []).append(_language)
_SCRIPTS = {
    "HIRAGANA": "ja", "KATAKANA": "ja", "HANGUL": "ko", "CJK": "zh", "GREEK": "el", "HEBREW": "he", "THAI": "th",
    "ARABIC": "ar", "CYRILLIC": "ru", "DEVANAGARI": "hi",
}  # fmt: skip
_READ = 2000


def language_of(text: str) -> str | None:
    """Return the ISO 639-1 code of the language, or None where it cannot be told.

    Told are English, German, French, Spanish, Italian, Portuguese and Dutch by two small words more than any other of
    them has, or by one where there is no other; and by its script the most spoken language of ten scripts (Cyrillic is
    `ru`, Arabic `ar`). A few names or a number say nothing: None.
    """
    head = text[:_READ]
    script = _script(head)
    if script is not None:
        return script
    found = Counter(language for word in re.findall(r"[^\W\d_]+", head.lower()) for language in _BY_WORD.get(word, ()))
    ranked = found.most_common(2)
    if not ranked or (len(ranked) > 1 and ranked[0][1] - ranked[1][1] < 2):
        return None
    return ranked[0][0]


def _script(text: str) -> str | None:
    """Return the language of the script that most letters are of, if it is not the Latin one."""
    letters = [char for char in text if char.isalpha()]
    names = Counter(unicodedata.name(char, "").split(" ")[0] for char in letters if char > "\u02ff")
    japanese = names["HIRAGANA"] + names["KATAKANA"]
    if not letters or 2 * sum(names.values()) < len(letters):
        return None
    return "ja" if japanese else _SCRIPTS.get(names.most_common(1)[0][0])
