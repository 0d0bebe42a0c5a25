"""Personal data in pieces: however a text is cut, what comes out is the text without it, and nothing waits for long."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragstead.guardrails.pii import PiiWindow, find_pii, redact, undecided_from

TEXTS = [
    "Write to jane.roe@example.com or call 780-999-2181, please.",
    "Her number is 451 5986 (fax), the account DE89 3704 0044 0532 0130 00, or GB29 NWBK 6016 1331 9268 19 there.",
    "Card 4111 1111 1111 1111 has expired; 10.0.0.1 is down; version 1.2.3.4 is up; 27 days in 2024; 12 345 678 euros",
    "Ring (602) 272-9781 x 12 today. SSN 123-45-6789. +49 (0) 30 1234567 is home, fe80::1 is a door",
    "Population: 12 345 678 inhabitants. Call me on 451 5986. Plain words, and no more than that.",
    "jane@example.com",
    "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 " * 5,
]


def cut(text: str, seed: int) -> list[str]:
    chance, pieces = random.Random(seed), []
    while text:
        length = chance.randint(1, 9)
        pieces.append(text[:length])
        text = text[length:]
    return pieces


def through(pieces: list[str]) -> list[str]:
    window = PiiWindow(find_pii)
    return [*(out for piece in pieces for out in window.feed(piece)), *window.flush()]


@pytest.mark.parametrize("text", TEXTS)
def test_text_in_any_pieces_comes_out_as_it_would_whole_a_piece_for_each(text: str) -> None:
    for seed in range(100):
        pieces = cut(text, seed)
        out = through(pieces)
        assert len(out) == len(pieces)
        assert "".join(out) == redact(text)


@given(st.lists(st.text(alphabet="ab 1@.x-é漢\n", max_size=6), max_size=30))
def test_no_piece_is_lost_and_none_comes_twice(pieces: list[str]) -> None:
    window = PiiWindow(lambda _: ())
    out = [*(one for piece in pieces for one in window.feed(piece)), *window.flush()]
    assert out == pieces


def test_address_in_two_pieces_is_taken_out_of_both() -> None:
    window = PiiWindow(find_pii)
    assert window.feed("mail jane.roe@exam") == []
    assert window.feed("ple.com now") == []
    assert window.feed(" or ") == ["mail <EMAIL>", " now", " or "]


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("The tide", "tide"),
        ("The tide ", ""),
        ("It has 27 days", "days"),
        ("Call 780 999 ", "780 999 "),
        ("明天见", ""),
        ("Account GB29 NWBK 6016 ", "GB29 NWBK 6016 "),
    ],
)
def test_held_back_is_what_may_yet_become_personal_data_and_no_more(text: str, held: str) -> None:
    assert text[undecided_from(text) :] == held


def test_word_without_end_does_not_wait_for_ever() -> None:
    assert undecided_from("a" * 5000) == 5000 - 320
