from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragstead.extraction import Line, TextBuilder, clean_text, decode_text, join_lines, tabulate
from ragstead.model import ExtractedText


def no_guess(data: bytes) -> str | None:
    return None


@given(
    st.lists(st.tuples(st.sampled_from(["heading", "paragraph", "item", "row", "code", "page"]), st.text(max_size=40)))
)
def test_builder_fed_with_anything_yields_a_valid_text(parts: list[tuple[str, str]]) -> None:
    builder = TextBuilder()
    for kind, text in parts:
        match kind:
            case "heading":
                builder.heading(text, len(text))
            case "paragraph":
                builder.paragraph(text)
            case "item":
                builder.item(text, len(text) % 3)
            case "row":
                builder.row([text, text])
            case "code":
                builder.code(text, text[:3])
            case "page":
                builder.page_break()
    built = builder.build("title")
    assert unicodedata.is_normalized("NFC", built.text)
    assert not set(built.text) & set("\0\r\x0b\x0c\ufeff\u2028")
    built.text.encode()  # raises for a lone surrogate
    assert list(built.page_starts) == sorted(built.page_starts)
    assert len(built.page_starts) == sum(kind == "page" for kind, _ in parts)
    for heading in built.headings:
        assert built.text[heading.start : heading.end] == "#" * heading.level + " " + heading.title
    assert len(built.text) == builder.length


def test_builder_sets_blocks_apart_and_keeps_rows_and_items_together() -> None:
    builder = TextBuilder()
    builder.heading("A  title\nin two lines", 2)
    builder.item("one")
    builder.item("two", 1, "1.")
    builder.row(["a", "b\nc", ""])
    builder.row(["", ""])
    builder.row(["d"])
    builder.code("x = '```'", "python")
    assert builder.build().text == (
        "## A title in two lines\n\n- one\n  1. two\n\na | b c\nd\n\n````python\nx = '```'\n````"
    )


def test_builder_embeds_a_document_with_its_headings_moved_down() -> None:
    inner = TextBuilder()
    inner.paragraph("before")
    inner.heading("Part", 1)
    inner.paragraph("after")
    outer = TextBuilder()
    outer.heading("Whole", 1)
    outer.embed(inner.build(), deeper=1)
    built = outer.build()
    assert built.text == "# Whole\n\nbefore\n\n## Part\n\nafter"
    assert [(h.level, h.title) for h in built.headings] == [(1, "Whole"), (2, "Part")]


def test_pages_without_text_are_counted() -> None:
    builder = TextBuilder()
    for text in ("", "one", "", ""):
        builder.page_break()
        builder.paragraph(text)
    assert builder.build() == ExtractedText("one", page_starts=(0, 0, 3, 3))


@pytest.mark.parametrize(
    ("dirty", "clean"),
    [
        ("a\0b\x07", "ab"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("e\u0301", "é"),
        ("\ud800x", "\ufffdx"),
        ("co\u00adop", "coop"),
        ("a\u00a0b", "a b"),
    ],
)
def test_clean_text_takes_out_what_no_reader_sees(dirty: str, clean: str) -> None:
    assert clean_text(dirty) == clean


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_decode_text_knows_unicode_with_and_without_marks(encoding: str) -> None:
    text = "Grüße aus Köln, a plain sentence in English."
    assert decode_text(text.encode(encoding), None, guess=no_guess) == text


def test_decode_text_takes_what_is_declared_before_it_guesses() -> None:
    assert decode_text("Привет".encode("koi8-r"), "koi8-r", guess=no_guess) == "Привет"


def test_decode_text_reads_a_declared_latin_1_as_the_windows_code_page() -> None:
    assert decode_text("“quoted” – 5 €".encode("cp1252"), "ISO-8859-1", guess=no_guess) == "“quoted” – 5 €"


def test_decode_text_never_fails_for_a_wrong_or_unknown_declaration() -> None:
    assert decode_text("naïve".encode("cp1252"), "no-such-code", guess=lambda data: "utf-8") == "naïve"


@given(st.binary(max_size=200))
def test_decode_text_makes_text_of_any_bytes(data: bytes) -> None:
    assert isinstance(decode_text(data, None, guess=no_guess), str)


def lines(*texts: str, width: float = 400.0, size: float = 10.0) -> list[Line]:
    return [Line(text, 50.0, 50.0 + width, 700.0 - 12.0 * i, size) for i, text in enumerate(texts)]


def test_join_lines_mends_words_split_at_line_ends() -> None:
    joined = join_lines(lines("the co\ufffe", "operation of well\ufffe", "known and well-known parts"))
    assert [one.text for one in joined] == ["the cooperation of well-known and well-known parts"]


def test_join_lines_keeps_the_hyphen_before_a_capital_or_a_digit() -> None:
    assert join_lines(lines("a Lucene-\ufffe".replace("-", ""), "BM25 system"))[0].text == "a Lucene-BM25 system"


def test_join_lines_begins_a_paragraph_after_a_short_line_and_at_bullets() -> None:
    printed = [
        *lines("a full line of text", "the end."),
        Line("• one", 50, 450, 670, 10),
        Line("• two", 50, 450, 658, 10),
    ]
    printed[1] = Line("the end.", 50, 120, 688, 10)
    assert [one.text for one in join_lines(printed)] == ["a full line of text the end.", "• one", "• two"]


def test_join_lines_leaves_rows_of_numbers_alone() -> None:
    joined = join_lines(lines("Inventories 34,405 34,170", "Goodwill $ 20,288 $ 22,749", "as of the end of it all"))
    assert [(one.text, one.is_row) for one in joined] == [
        ("Inventories 34,405 34,170", True),
        ("Goodwill $ 20,288 $ 22,749", True),
        ("as of the end of it all", False),
    ]


def test_tabulate_puts_each_value_under_its_columns_name() -> None:
    builder = TextBuilder()
    tabulate(builder, [["Stanley Cups", "", ""], ["Team", "Place", "Cups"], ["Blues", "STL", "1"], ["Flyers", "", "2"]])
    assert builder.build().text == (
        "Stanley Cups\n\nTeam | Place | Cups\nTeam: Blues | Place: STL | Cups: 1\nTeam: Flyers | Cups: 2"
    )


@pytest.mark.parametrize("rows", [[["1", "2"], ["3", "4"]], [["a", "a"], ["3", "4"]], [["only", "row"]]])
def test_tabulate_without_names_writes_the_rows_as_they_are(rows: list[list[str]]) -> None:
    builder = TextBuilder()
    tabulate(builder, rows)
    assert builder.build().text == "\n".join(" | ".join(row) for row in rows)
