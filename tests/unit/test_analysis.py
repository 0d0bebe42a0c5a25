"""Terms of hostile, foreign and plain texts."""

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragstead.analysis import ANALYSIS_IDENTITY, STOPWORDS, analyse


def test_inflections_share_a_stem() -> None:
    assert analyse("Running runs, RUN!") == ["run", "run", "run"]


def test_stopwords_are_left_out_and_numbers_stay() -> None:
    assert analyse("What is the revenue of 2023?") == ["revenu", "2023"]


def test_contractions_leave_no_fragments() -> None:
    assert analyse("don't isn’t we'll it's") == []


def test_composed_and_decomposed_letters_are_one_term() -> None:
    assert analyse("café") == analyse("cafe\u0301") == ["café"]


def test_compatibility_forms_fold() -> None:
    assert analyse("ﬁne ＡＢＣ") == analyse("fine abc")


@pytest.mark.parametrize(
    ("part", "whole"), [("言語", "自然言語処理"), ("猫", "黒い猫"), ("ไทย", "ภาษาไทย"), ("한국", "한국어")]
)
def test_part_of_an_unspaced_text_is_found(part: str, whole: str) -> None:
    assert set(analyse(part)) <= set(analyse(whole))


def test_marks_do_not_split_words() -> None:
    assert len(analyse("हिन्दी")) == 1


def test_text_without_words_has_no_terms() -> None:
    assert analyse("") == analyse("😀 \0 \ud800 _ -- ,") == []


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["a", "\u0315\u0300", "猫", "😀", "a b ", "é'", "ﷺ", "\0", " ", "_"])
def test_hundred_kilobytes_of_anything_take_under_two_seconds(unit: str) -> None:
    text = (unit * 100_000)[:100_000]
    started = time.thread_time()
    analyse(text)
    assert time.thread_time() - started < 2


@given(st.text())
def test_terms_hold_no_white_space_and_no_stopword_survives(text: str) -> None:
    for term in analyse(text):
        assert term
        assert not any(character.isspace() for character in term)


def test_threads_agree() -> None:
    text = "The industrialisation of agricultural economies accelerated " * 50
    results: list[list[str]] = []
    threads = [threading.Thread(target=lambda: results.append(analyse(text))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(result == analyse(text) for result in results)
    assert len(results) == 8


def test_identity_names_the_language() -> None:
    assert ANALYSIS_IDENTITY.startswith("english-")
    assert len(STOPWORDS) > 100
