"""Citations: what is verified, what is dropped, and where everything stands."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest

from ragstead.analysis import analyse
from ragstead.citations import Support, find_support, find_verbatim, read_claim, shortened
from ragstead.model import Chunk, Hit, StoredChunk, Verdict
from ragstead.pipelines.verify import VerifiedText, Verifier
from ragstead.ports.generator import Piece

PASSAGES = (
    "Intro. Staff accrue 26 days of leave a year. Unused days\ncarry over until March.",
    "The press was built in 1821. It does not run on Sundays.",
)


def split(text: str) -> list[tuple[int, int]]:
    return [m.span() for m in re.finditer(r"\S[^.!?]*[.!?]?(?:\s?\[\d+\][.!?]?)*", text)]


def hit(n: int, text: str) -> Hit:
    chunk = Chunk(0, 100, 100 + len(text), text)
    return Hit(StoredChunk(n << 20, f"d{n}:{n}:0", f"d{n}", f"file-{n}", f"{n}.md", "", chunk), 0.9, 0.8, 7.0, 0.9)


def verify(*pieces: str) -> tuple[VerifiedText, list[str | Piece]]:
    async def generated() -> AsyncIterator[Piece]:
        for piece in pieces:
            yield Piece(piece)
        yield Piece("", finish_reason="stop", prompt_tokens=3, completion_tokens=4)

    async def scenario() -> tuple[VerifiedText, list[str | Piece]]:
        checked = VerifiedText()
        hits = [hit(n, text) for n, text in enumerate(PASSAGES, start=1)]
        return checked, [x async for x in Verifier(split, analyse).run(generated(), hits, checked)]

    return asyncio.run(scenario())


def test_verbatim_sentence_is_supported_with_exact_offsets() -> None:
    checked, _ = verify("Staff accrue 26 days of leave a year [1].")
    (citation,) = checked.citations
    assert checked.content == "Staff accrue 26 days of leave a year [1]."
    assert citation.verdict is Verdict.SUPPORTED
    assert PASSAGES[0][citation.quote_start - 100 : citation.quote_end - 100] == citation.quote
    assert checked.content[citation.start : citation.end] == citation.quote
    assert checked.content[citation.mark :].startswith("[1]")


def test_white_space_in_the_document_stays_in_the_quote() -> None:
    checked, _ = verify("Unused days carry over until March [1].")
    assert checked.citations[0].quote == "Unused days\ncarry over until March"


def test_pieces_that_cut_words_and_marks_give_the_same_answer() -> None:
    whole = "Staff accrue 26 days of leave a year [1]. The press was built in 1821 [2]."
    at_once, _ = verify(whole)
    in_pieces, released = verify(*whole)
    assert in_pieces.content == at_once.content == whole
    assert in_pieces.citations == at_once.citations
    assert "".join(x for x in released if isinstance(x, str)) == whole


def test_marks_are_numbered_by_first_use() -> None:
    checked, _ = verify("The press was built in 1821 [2]. Staff accrue 26 days of leave a year [1].")
    assert [c.n for c in checked.citations] == [1, 2]
    assert [c.stored.document_id for c in checked.citations] == ["d2", "d1"]


@pytest.mark.parametrize(
    "sentence",
    [
        "Staff accrue 30 days of leave a year [1].",  # another number
        "The press runs on Sundays [2].",  # a negation lost
        "Everything is free for all employees forever [1].",  # not in the passage
        "Staff accrue 26 days of leave a year [7].",  # points nowhere
        "Staff accrue 26 days of leave a year [0].",
        "Staff accrue 26 days of leave a year.",  # no mark at all
    ],
)
def test_what_the_passage_does_not_carry_is_not_released(sentence: str) -> None:
    checked, released = verify(sentence)
    assert checked.content == ""
    assert checked.citations == []
    assert [x for x in released if isinstance(x, str)] == []
    assert checked.dropped == len(re.findall(r"\[\d\]", sentence))


def test_paraphrase_is_supported_by_its_best_sentence() -> None:
    checked, _ = verify("A year, staff accrue leave of 26 days [1].")
    assert checked.citations[0].quote == "Staff accrue 26 days of leave a year."
    assert checked.citations[0].verdict is Verdict.SUPPORTED


def test_last_piece_comes_through_with_its_usage() -> None:
    _, released = verify("The press was built in 1821 [2].")
    assert released[-1] == Piece("", finish_reason="stop", prompt_tokens=3, completion_tokens=4)


def test_index_of_a_list_in_quoted_data_is_no_mark() -> None:
    claim = read_claim("courses[0].title: First aid courses[0].days: 2 [3].")
    assert claim.passages == (3,)
    assert claim.words == "courses[0].title: First aid courses[0].days: 2"
    assert read_claim("It rose [1].Then it fell [2].").passages == (1, 2)


def test_claim_keeps_its_closing_punctuation_apart() -> None:
    assert read_claim("It rose by 40 % [1][3].") == read_claim("It rose by 40 % [1] [3].")
    assert read_claim("It rose [1]!").closing == "!"


def test_find_verbatim_of_regex_syntax_is_literal() -> None:
    assert find_verbatim("a.*b (c)", "x a.*b (c) y") == (2, 10)
    assert find_verbatim("", "x") is None


def test_find_support_of_an_empty_passage_is_none() -> None:
    assert find_support("anything", "", split, analyse) is None


@pytest.mark.parametrize(
    ("hidden", "quote", "verdict"),
    [
        ((), "Call Ann at 555-1234 or Bob at 555-9876", Verdict.SUPPORTED),
        (("555-1234",), "or Bob at 555-9876", Verdict.PARTIAL),
        (("555-1234", "555-9876"), "Call Ann at", Verdict.PARTIAL),
        (("Call Ann at 555-1234 or Bob at 555-9876",), "C", Verdict.PARTIAL),
    ],
)
def test_quotes_are_cut_to_what_is_not_hidden(hidden: tuple[str, ...], quote: str, verdict: Verdict) -> None:
    passage = "Office. Call Ann at 555-1234 or Bob at 555-9876."
    cut = shortened(Support(8, 47, Verdict.SUPPORTED), passage, hidden)
    assert (passage[cut.start : cut.end], cut.verdict) == (quote, verdict)
