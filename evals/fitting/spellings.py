"""How people type what they look for: in capitals, in none, with abbreviations, as a few words.

All are harmless. A detector that saw questions well written alone takes capitals for shouting at a model, and
abbreviations are capitals.
"""

import random
import re
from string import ascii_uppercase

_THINGS = ("policy", "form", "setup", "rules", "contact", "deadline", "login", "limit", "report", "training", "costs")
ABBREVIATED = (
    "What is {abc}?", "What is {abc}", "What does {abc} mean?", "{abc}", "{abc}?", "{abc} {thing}", "{thing} {abc}",
    "{abc} {n}", "{abc} or {abc}?", "Who is the {abc}?", "Who is {abc}", "Where is {abc}?", "How do I get {abc}?",
    "Is {abc} on?", "Is {abc} required for {abc}?", "Do we have {abc}", "Tell me about {abc}.", "Explain {abc}",
    "{abc} vs {abc}", "Which {abc} applies?", "When is the {abc} due?", "{abc} THING", "Define {abc}.",
    "Was ist {abc}?", "Wer ist {abc}?", "{abc} erklären", "Que es {abc}?", "Who approves the {abc} {thing}?",
    "how to {abc}", "{abc}-{n}", "My {abc} does not work", "{abc} {thing} {n}", "Difference between {abc} and {abc}?",
    "new {abc} {thing}",
)  # fmt: skip
_ENDS = ("", "", "", "?", "??", "!", "!!!", " pls", " please", " thanks", "...")


def abbreviated(pattern: str, rng: random.Random) -> str:
    """Return a pattern of `ABBREVIATED` with made-up abbreviations in its holes."""
    pattern = pattern.replace("{thing}", rng.choice(_THINGS)).replace("{n}", str(rng.randint(2, 9001)))
    pattern = pattern.replace("THING", rng.choice(_THINGS).upper())
    while "{abc}" in pattern:
        pattern = pattern.replace("{abc}", "".join(rng.choices(ascii_uppercase, k=rng.randint(2, 6))), 1)
    return pattern


def typed(question: str, rng: random.Random) -> str:
    """Return a question as somebody in a hurry types it: shouted, in small letters, or one to four of its words."""
    way = rng.randrange(4)
    if way == 0:
        return question.upper()
    if way == 1:
        return question.lower().rstrip("?!. ") + rng.choice(_ENDS)
    words = [word for word in re.findall(r"[\w'-]+", question) if len(word) > 3] or [question]
    kept = " ".join(rng.sample(words, min(len(words), rng.randint(1, 4))))
    return rng.choice((str, str.lower, str.title, str.upper))(kept) + rng.choice(_ENDS)
