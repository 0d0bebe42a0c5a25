"""What people write round a question: greetings, who they are, why they ask, how long the answer should be.

Each phrase has holes that are filled anew each time. They are harmless, and beside a question a detector of injections
has to know them: a request that stands apart from its neighbours is odd in a document, and usual in a message.
"""

import random

_PEOPLE = ("colleague", "manager", "team lead", "customer", "teacher", "neighbour", "lawyer", "friend", "landlord")
_PLACES = ("Berlin", "Madrid", "the Lisbon office", "Ohio", "the warehouse", "Graz", "our lab", "Kenya")
_MATTERS = ("my tax return", "a school project", "an audit", "a talk on Friday", "a newsletter", "our wiki", "an exam")

BEFORE = (
    "Hello,", "Hi there!", "Good morning.", "Dear team,", "Hey, quick question:", "I have a question.",
    "Sorry to bother you.", "I am new here.", "I work in {place}.", "I live in {place}.",
    "My contract began in {year}.", "I am on probation.", "I am {n} years old.", "We are a team of {n}.",
    "I read the page twice and did not find it.", "My {person} asked me this today.", "I asked my {person} already.",
    "It is for {matter}.", "I am writing about this for {matter}.", "I joined in {year}.",
    "My {person} says it changed in {year}.", "We talked about it in {place}.",
    "I have been wondering about this for weeks.", "This may be a stupid question.", "I moved to {place} last month.",
    "There are {n} of us.", "I lost the letter.", "Someone told me that it was different before {year}.",
    "I am a bit confused.", "I need to know this by Friday.", "Hallo,", "Guten Tag.", "Ich bin neu hier.", "Hola,",
    "Bonjour,", "My {person} is ill.", "It was stolen in {place} yesterday.", "I bought mine in {year}.",
    "I'm preparing something for {matter}.", "The one from {year} does not work any more.",
    "We have a {person} who asks for it.", "Our {person} left last week.", "The deadline is in {n} days.",
)  # fmt: skip
_THINGS = (
    "the travel policy", "my laptop", "a parking permit", "the release notes", "an invoice", "sick leave", "a refund",
    "the API key", "the backup", "remote access", "parental leave", "the payroll date", "my dog", "the meeting room",
    "a bank account", "the warranty", "the password", "a business trip", "the old version", "overtime", "the contract",
)  # fmt: skip
ASKED = (
    "Can I get {thing}?", "Can I bring {thing} to the office?", "May my {person} use {thing}?",
    "How do I change {thing}?", "How do I apply for {thing}?", "Where do I find {thing}?", "Who approves {thing}?",
    "Who pays for {thing}?", "Do I have to report {thing}?", "Do I need {thing}?",
    "What do I do when I lose {thing}?", "Is {thing} included?", "How long does {thing} take?",
    "How much is {thing}?", "When is {thing} due?", "What happens to {thing} when I leave?",
    "What does it say about {thing}?", "What's the rule for {thing} (abroad)?", "Why was {thing} changed?",
    "Which form is for {thing}?", "Am I allowed to share {thing}?", "Could you explain {thing}?", "Show me {thing}.",
    "Tell me about {thing}.", "Summarise what we know about {thing}.", "List the steps for {thing}.",
    "Explain {thing} to me.", "Compare {thing} with {thing}.", "Translate the part about {thing} into German.",
    "I need {thing}. How do I get it?", "I can't find {thing}. Where is it?", "My {person} lost {thing}. What now?",
)  # fmt: skip
AFTER = (
    "Thanks!", "Thank you in advance.", "Many thanks, Ann", "Cheers", "Please answer briefly.",
    "Please answer in one sentence.", "A short answer is enough.", "In {n} words, please.",
    "Please tell me where it says so.", "Please quote the source.", "A list would be fine.",
    "Explain it simply, please.", "No details, please.", "Give me an example, too.", "It is urgent.",
    "I need it for {matter}.", "(for managers)", "({year})", "(case {n})", "Case {n}.", "(I am in {place})",
    "(see page {n})", "I could not find it.", "I mean the second one.", "Asking for a {person}.",
    "My contract began in {year}.", "I live in {place}.", "It was {n} days in {year}, I think.",
    "My {person} says no.", "I am on probation.", "As of {year}.", "Ticket {n}.", "I hope you can help.",
    "Let me know if you need more.", "If so, since when?", "And who decides that?", "Why is that?",
    "Or is it the other way round?", "Is that still true in {year}?", "Danke!", "Bitte kurz.", "Gracias.",
    "Merci d'avance.", "He is very quiet.", "It is quite a small one.", "They asked me twice.",
    "It is only for {n} days.", "She has been here since {year}.", "It broke yesterday.", "Nobody could tell me.",
    "Keep it short.", "Just the numbers, please.", "Both would be fine.", "The old one ends in {year}.",
    "We are {n} people.", "It says so on page {n}.", "He lives in {place}.", "That would help a lot.",
)  # fmt: skip
_HOLES = {"{person}": _PEOPLE, "{place}": _PLACES, "{matter}": _MATTERS, "{thing}": _THINGS}


def message(question: str, rng: random.Random, before: str, after: str) -> str:
    """Return a question between two phrases, either of which may be empty, on one line or on several."""
    glue = rng.choice((" ", " ", "\n"))
    return glue.join(part for part in (filled(before, rng), question, filled(after, rng)) if part)


def filled(phrase: str, rng: random.Random) -> str:
    """Return a phrase, or a question of `ASKED`, with something in each of its holes."""
    for hole, words in _HOLES.items():
        while hole in phrase:
            phrase = phrase.replace(hole, rng.choice(words), 1)
    return phrase.replace("{n}", str(rng.randint(2, 60))).replace("{year}", str(rng.randint(1990, 2026)))
