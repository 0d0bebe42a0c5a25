import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragstead.errors import InvalidRequest
from ragstead.sentences import UnitKind, segment


def pieces(text: str, **options: int) -> list[str]:
    return [text[unit.start : unit.end] for unit in segment(text, **options)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("Mr. J. R. Smith met Dr. No. He left.", ["Mr. J. R. Smith met Dr. No.", "He left."]),
        ("He lives in the U.S. Army base. It is big.", ["He lives in the U.S. Army base.", "It is big."]),
        ("He left the U.S. The army stayed.", ["He left the U.S.", "The army stayed."]),
        ("It cost $3.50, i.e. 3.2 euro. Cheap.", ["It cost $3.50, i.e. 3.2 euro.", "Cheap."]),
        ("See fig. 3 and no. 5. Then vol. 2.", ["See fig. 3 and no. 5.", "Then vol. 2."]),
        ("I said no. He left.", ["I said no.", "He left."]),
        ('"Is it?" he asked. "Yes." She nodded.', ['"Is it?" he asked.', '"Yes."', "She nodded."]),
        ("It ran (it failed. Twice.) and stopped. End.", ["It ran (it failed. Twice.) and stopped.", "End."]),
        ("It is so.[12] Next one.[citation needed] Last.", ["It is so.[12]", "Next one.[citation needed]", "Last."]),
        ("Wait... what? Yes", ["Wait... what?", "Yes"]),
        ("今日は晴れ。明日は雨！本当？はい", ["今日は晴れ。", "明日は雨！", "本当？", "はい"]),
        ("They won. . Then lost.", ["They won.", ". Then lost."]),
        ("Built c. 1500 by monks. Burnt.", ["Built c. 1500 by monks.", "Burnt."]),
        (
            "In the form, O\n2 molecules are\nparamagnetic. Yes.",
            ["In the form, O\n2 molecules are\nparamagnetic.", "Yes."],
        ),
    ],
)
def test_prose_is_cut_at_sentence_ends_alone(text: str, expected: list[str]) -> None:
    assert pieces(text) == expected


def test_markdown_blocks_are_units_of_their_own() -> None:
    text = (
        "# Title\nBody one. Body two.\n\n* item a\n* item b. More.\n  goes on\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n"
        "```py\nx = 1. \n\nY = 2\n```\nAfter.\n/// tip\nWords.\n///\n---\n"
    )
    assert [(unit.kind, text[unit.start : unit.end]) for unit in segment(text)] == [
        (UnitKind.HEADING, "# Title"),
        (UnitKind.PROSE, "Body one."),
        (UnitKind.PROSE, "Body two."),
        (UnitKind.LIST_ITEM, "* item a"),
        (UnitKind.LIST_ITEM, "* item b."),
        (UnitKind.LIST_ITEM, "More.\n  goes on"),
        (UnitKind.TABLE_ROW, "| a | b |"),
        (UnitKind.MARKUP, "|---|---|"),
        (UnitKind.TABLE_ROW, "| 1 | 2 |"),
        (UnitKind.CODE, "```py\nx = 1. \n\nY = 2\n```"),
        (UnitKind.PROSE, "After."),
        (UnitKind.MARKUP, "/// tip"),
        (UnitKind.PROSE, "Words."),
        (UnitKind.MARKUP, "///"),
        (UnitKind.MARKUP, "---"),
    ]


def test_an_unclosed_fence_runs_to_the_end() -> None:
    assert pieces("Text.\n~~~\ncode. More\n\nstill") == ["Text.", "~~~\ncode. More\n\nstill"]


def test_a_title_line_is_cut_from_the_paragraph_under_it() -> None:
    assert pieces("Short title\nThe body begins here and goes on.") == [
        "Short title",
        "The body begins here and goes on.",
    ]


def test_a_hard_wrapped_sentence_stays_whole() -> None:
    text = "This line is wrapped somewhere in the middle of its first\nSentence and goes on here."
    assert pieces(text) == [text]


def test_a_wide_table_row_is_cut_between_cells() -> None:
    cells = [f"Column {i}: some words that fill the cell number {i}" for i in range(12)]
    row = " | ".join(cells)
    cut = [piece.strip(" |") for piece in pieces(row)]
    assert len(cut) > 1
    assert [cell for piece in cut for cell in piece.split(" | ")] == cells


def test_a_long_sentence_is_cut_at_a_clause_within_the_cap() -> None:
    text = " ".join(["word"] * 30) + "; " + " ".join(["more"] * 40) + "."
    cut = pieces(text)
    assert cut[0].endswith(";")
    assert all(len(piece.split()) <= 60 for piece in cut)


def test_a_blank_text_has_no_units() -> None:
    assert segment(" \n\t\n") == [] == segment("")


def test_a_cap_below_eight_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="max_words is 7"):
        segment("x", max_words=7)


ALPHABET = st.sampled_from(list("abC1.!?。…,;:()[]{}\"'`~|#*->/ \n\t\r\x0b\x85\u2028é漢（「👍_"))


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.text(ALPHABET, max_size=300), st.text(max_size=200)), st.integers(8, 80))
def test_units_are_ordered_disjoint_trimmed_and_cover_all_that_is_not_space(text: str, cap: int) -> None:
    end = 0
    for unit in segment(text, max_words=cap):
        body = text[unit.start : unit.end]
        assert end <= unit.start < unit.end
        assert not text[end : unit.start].strip()
        assert body == body.strip() != ""
        if unit.kind in (UnitKind.PROSE, UnitKind.LIST_ITEM):
            assert len(body.split()) <= cap
            assert len(body) <= 8 * cap
        end = unit.end
    assert not text[end:].strip()


@pytest.mark.parametrize(
    "unit",
    [".", "! ", "(", "(.", ")", "[", "a. ", "A.", "e.g. ", "```\n", "|", "| a |\n", "# ", "#\n", "。", "a" * 50, '"', "\n",
     "* ", "1. ", "x;y,", "「", "...", "[1]", ".[", ". [a", "(a. b) ", "  ", "-", "<a", "漢", "🙂 ", ".\n", "a\nB"],
)  # fmt: skip
def test_time_grows_in_step_with_adversarial_text(unit: str) -> None:
    def seconds(size: int) -> float:
        text = unit * (size // len(unit))
        best = 9.0
        for _ in range(3):
            started = time.process_time()
            segment(text)
            best = min(best, time.process_time() - started)
        return best

    small, large = seconds(20_000), seconds(160_000)
    assert large < 0.05 + 24 * small, f"8 times the text took {large / max(small, 1e-9):.0f} times as long"
