"""The suite of `Guard`, under policies that refuse, blank and stop."""

from __future__ import annotations

import asyncio

from ragstead.model import Chunk, Hit, StoredChunk
from ragstead.ports.guard import Guard

SAID = "Staff accrue 26 days of leave a year."


def _hit(text: str) -> Hit:
    chunk = Chunk(0, 40, 40 + len(text), text)
    return Hit(StoredChunk(1, "d:1:0", "d", "file-1", "d.md", "", chunk), 0.9, 0.8, 7.0, 0.9)


class GuardContract:
    """What any `Guard` does; subclasses define `guard`, and `injection`, a sentence that is one to it."""

    injection: str

    def guard(self) -> Guard:
        """Return a guard."""
        raise AssertionError("a suite says what it tests")

    def test_an_ordinary_question_goes_on_as_it_is(self) -> None:
        verdict = asyncio.run(self.guard().question("How many days of leave are there?"))
        assert (verdict.text, verdict.findings, verdict.refused) == ("How many days of leave are there?", (), False)

    def test_an_injected_question_is_refused_and_told(self) -> None:
        verdict = asyncio.run(self.guard().question(self.injection))
        assert verdict.refused
        assert "injection" in verdict.findings

    def test_ordinary_passages_go_on_as_they_are(self) -> None:
        hits = (_hit(SAID), _hit("Unused days lapse."))
        verdict = asyncio.run(self.guard().passages(hits))
        assert (verdict.hits, verdict.withheld) == (hits, 0)
        assert asyncio.run(self.guard().passages([])).hits == ()

    def test_an_injection_in_a_passage_cannot_be_read_and_offsets_stay(self) -> None:
        given = _hit(f"{SAID}\n{self.injection}\nUnused days lapse.")
        verdict = asyncio.run(self.guard().passages([given]))
        [left] = verdict.hits
        chunk = left.stored.chunk
        assert verdict.withheld == 1
        assert self.injection not in chunk.text
        assert chunk.text.startswith(SAID)
        assert (chunk.start, chunk.end, len(chunk.text)) == (40, given.stored.chunk.end, len(given.stored.chunk.text))

    def test_a_sentence_of_its_source_goes_on_and_one_that_is_not_there_is_stopped(self) -> None:
        guard = self.guard()
        said = asyncio.run(guard.sentence("Staff accrue 26 days of leave", [SAID]))
        wrong = asyncio.run(guard.sentence("Staff accrue 62 days of leave", [SAID]))
        assert (said.words, said.redacted) == ("Staff accrue 26 days of leave", ())
        assert wrong.words is None
        assert 0 <= wrong.grounded < said.grounded <= 1

    def test_marks_are_probabilities_in_the_order_of_the_texts(self) -> None:
        marks = asyncio.run(self.guard().marks([SAID, self.injection]))
        assert 0 <= marks[0] < 0.5 < marks[1] <= 1
        assert list(asyncio.run(self.guard().marks([]))) == []
