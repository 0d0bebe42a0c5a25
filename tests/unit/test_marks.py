"""Marks of citations are told from the indices of quoted data, wherever an answer is read."""

from __future__ import annotations

import pytest

from ragstead.citations import read_claim
from ragstead.evaluation.answer_text import contains, normalised
from ragstead.marks import without_marks


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("27 days [1].", "27 days."),
        ("27 days [1][12].", "27 days."),
        ('courses[0].title: "Safety" [2]', 'courses[0].title: "Safety"'),
        ("matrix[1]x and [1234] stay", "matrix[1]x and [1234] stay"),
        ("[3] first", " first"),
    ],
)
def test_marks_go_and_indices_stay(text: str, plain: str) -> None:
    assert without_marks(text) == plain


def test_index_of_quoted_data_is_no_mark_for_claims_and_for_measures() -> None:
    said = 'courses[0].title: "Safety" [2]'
    assert read_claim(said).passages == (2,)
    assert normalised(said) == "courses 0 title safety"
    assert contains(said, ["title: Safety"])
    assert normalised("It is 27[1] days [2].") == "it is 27 days"
