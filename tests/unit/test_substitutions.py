"""Words of a question whose place another word has taken, counted by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragstead.answering.contrast_features import CONTRAST_FEATURES, contrast_features, seen
from ragstead.answering.substitutions import SUBSTITUTION_FEATURES, similar, substitution_features, words_of
from ragstead.answering.terms import content_terms


def found(question: str, sentence: str, weights: dict[str, float] | None = None, heads: str = "") -> dict[str, float]:
    return substitution_features(words_of(question), words_of(sentence), weights or {}, heads.split())


def test_another_word_in_the_place_of_the_one_asked_for_is_counted_with_its_weight() -> None:
    counted = found("a scientific device", "It is a theoretical device.", {"scientif": 0.8})
    assert (counted["replaced"], counted["replaced_weight"], counted["replaced_in_kind"]) == (1, 0.8, 1)


def test_a_number_replaces_a_number_and_a_name_a_name() -> None:
    assert found("through two theories", "through one theory")["replaced_number"] == 1
    assert (
        found("who joined Norman forces", "some joined Turkish forces")["replaced_name"] == 2
    )  # seen from both neighbours
    assert found("who joined Norman forces", "some joined strong forces")["replaced_name"] == 0


def test_what_is_asked_for_need_not_be_said() -> None:
    counted = found("which river crosses", "The Rhine crosses", heads="river")
    assert counted["replaced"] == 0
    assert counted["replaced_in_kind"] == 0.0  # Rhine is a name, river is a word


def test_another_form_of_the_word_is_no_replacement() -> None:
    assert found("the industrialized country", "an industrial country")["replaced"] == 0


def test_a_function_word_takes_no_place() -> None:
    assert found("the steam engine", "of the engine")["replaced"] == 0


def test_words_that_join_to_others_are_parted() -> None:
    question, sentence = "the first Byzantine mercenary", "Norman mercenary of a Byzantine general, the first"
    counted = found(question, sentence)
    assert (counted["adjoining"], counted["parted"]) == (2, 1)  # first Byzantine: only `a` stands before Byzantine


def test_words_that_stay_together_are_not_parted() -> None:
    assert found("Byzantine mercenary", "a Byzantine mercenary and a Norman mercenary")["parted"] == 0


@pytest.mark.parametrize(("one", "other"), [("destroy", "destroi"), ("originat", "origin"), ("oil", "oil")])
def test_forms_of_one_word_are_similar(one: str, other: str) -> None:
    assert similar(one, other)


@pytest.mark.parametrize(("one", "other"), [("cat", "car"), ("mother", "father"), ("", "a"), ("steam", "stone")])
def test_other_words_are_not(one: str, other: str) -> None:
    assert not similar(one, other)


def test_negations_are_seen_where_they_stand() -> None:
    texts = seen("Who didn't sign the treaty?", "The king signed the treaty.", "Nobody came. The king signed.", "all")
    counted = contrast_features(texts)
    assert counted["asked_with_not"] == 1
    assert counted["negated_question_alone"] == 1
    assert counted["negated_alone"] == 0  # the context negates too
    assert counted["negation_matched_asked"] == 3  # sign, the, treaty


TEXTS = st.lists(
    st.sampled_from(["not", "two", "1066", "Norman", "the", "\u7ef4\u4eac", "mother", "father", "?", "\n", "don't"])
).map(" ".join)


@given(TEXTS, TEXTS, TEXTS)
def test_any_texts_give_every_feature_finite_and_not_negative(question: str, sentence: str, passage: str) -> None:
    texts = seen(question, sentence, sentence, passage)
    counted = contrast_features(texts) | substitution_features(texts.question, texts.words[0], {}, ())
    assert counted.keys() == {*CONTRAST_FEATURES, *SUBSTITUTION_FEATURES}
    assert all(0 <= value < 1000 for value in counted.values())
    assert counted["parted"] <= counted["adjoining"]


@given(st.text(max_size=60))
def test_terms_of_words_are_the_content_terms_of_the_text(text: str) -> None:
    assert list(words_of(text).terms) == content_terms(text)


@given(TEXTS)
def test_a_text_beside_itself_lacks_nothing(text: str) -> None:
    words = words_of(text)
    counted = substitution_features(words, words, {}, ())
    assert counted["replaced"] == counted["replaced_in_kind"] == 0
