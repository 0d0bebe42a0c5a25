"""A sentence is supported where its numbers, names and negations are those of the evidence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragstead.errors import ConfigurationError
from ragstead.guardrails.groundedness import groundedness, read_groundedness
from ragstead.guardrails.groundedness.alignment import align
from ragstead.guardrails.groundedness.differences import DIFFERENCES, differences
from ragstead.guardrails.groundedness.tokens import Kind, tokens_of
from ragstead.guardrails.weighing import read_weighing

PASSAGE = (
    "The Tarnfell Society was founded in 1889 by Mairi Kell and Bruno Asti in Orrin. Membership rose by 40 % to "
    "3 million people in 2021, but fees did not increase. The press was sold to Kelder Works on 7 March 1923."
)
CHANGED = [
    (
        "The Tarnfell Society was founded in 1889 by Mairi Kell",
        "The Tarnfell Society was founded in 1886 by Mairi Kell",
    ),
    ("The press was sold to Kelder Works on 7 March 1923", "The press was sold to Kelder Works on 9 March 1923"),
    ("The press was sold to Kelder Works on 7 March 1923", "The press was sold to Kelder Works on 7 April 1923"),
    ("The press was sold to Kelder Works", "The press was sold to Bruno Asti"),
    ("The press was sold to Kelder Works", "The press was never sold to Kelder Works"),
    ("fees did not increase", "fees did increase"),
    ("Membership rose by 40 % in 2021", "Membership fell by 40 % in 2021"),
]


def said(sentence: str) -> dict[str, float]:
    return dict(zip(DIFFERENCES, differences(sentence, [PASSAGE]), strict=True))


@pytest.mark.parametrize(("right", "wrong"), CHANGED)
def test_a_changed_number_name_or_negation_is_less_probable_than_the_sentence_it_was_made_of(
    right: str, wrong: str
) -> None:
    assert groundedness(wrong, [PASSAGE]) < 0.6 < groundedness(right, [PASSAGE])


@pytest.mark.parametrize(
    "sentence",
    [
        "Mairi Kell and Bruno Asti founded nothing",
        "Bananas are yellow",
        "Yes",
        "The Orrin Society was dissolved in 1950 after a dispute about cider",
    ],
)
def test_what_the_passage_does_not_say_is_unsupported(sentence: str) -> None:
    assert groundedness(sentence, [PASSAGE]) < 0.2


@pytest.mark.parametrize(
    "sentence",
    [
        "Membership rose by 40 percent to 3,000,000 people in 2021",
        "Fees didn't increase",
        "In 1889 the Tarnfell Society was founded",
        "The press was sold on 7 March 1923",
    ],
)
def test_the_same_in_other_words_and_numbers_is_supported(sentence: str) -> None:
    assert groundedness(sentence, [PASSAGE]) > 0.6


def test_verbatim_words_are_supported_whatever_their_white_space_and_closing() -> None:
    assert groundedness("The press  was sold\nto Kelder Works!", ["x", PASSAGE]) > 0.99
    assert said("press was sol")["verbatim"] == 0  # half a word is not verbatim


def test_nothing_said_is_supported_and_nothing_supports_without_passages() -> None:
    assert groundedness("It is.", [PASSAGE]) == 1.0
    assert groundedness("Kelder Works", []) == 0.0
    assert groundedness("Kelder Works", ["  "]) == 0.0


def test_several_passages_support_together_what_each_says_in_part() -> None:
    whole = groundedness("Kelder Works was founded in 1889", ["Kelder Works is old.", "It was founded in 1889."])
    assert whole > groundedness("Kelder Works was founded in 1889", ["Kelder Works is old."])


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("3 million", ["3000000"]),
        ("1,200 and twelve", ["1200", "12"]),
        ("twenty five 40%", ["25", "40", "percent"]),
        ("the 3rd", ["3"]),
        ("at 10:30", ["10:30"]),
        ("isn't", ["not"]),
        ("U.S.A. won", ["usa", "won"]),
    ],
)
def test_numbers_are_values_and_negations_one_word(text: str, keys: list[str]) -> None:
    assert [token.key for token in tokens_of(text)] == keys


def test_names_are_capitalised_words_that_do_not_merely_begin_the_sentence() -> None:
    kinds = {token.key: token.kind for token in tokens_of("Press sales rose when Mairi Kell came in 1889")}
    assert kinds["press"] is Kind.WORD
    assert kinds["mairi"] is kinds["kell"] is Kind.NAME
    assert kinds["1889"] is Kind.NUMBER


def test_alignment_of_a_hand_computed_case() -> None:
    claim, evidence = tokens_of("Kell sold the press in 1923"), tokens_of("In 1923 Kell bought the old press")
    aligned = align(claim, evidence)
    assert [(claim[i].key, evidence[j].key) for i, j in aligned.pairs] == [("kell", "kell"), ("press", "press")] or [
        claim[i].key for i, _ in aligned.pairs
    ] == ["1923"]
    assert {token.key for gap in aligned.gaps for token in gap.claim} >= {"sold"}


def test_swapped_names_are_told_from_a_list_in_the_same_order() -> None:
    passage = "Later Mairi Kell defeated Bruno Asti in the final."
    turned = dict(
        zip(DIFFERENCES, differences("Later Bruno Asti defeated Mairi Kell in the final", [passage]), strict=True)
    )
    same = dict(zip(DIFFERENCES, differences("Mairi Kell defeated Bruno Asti", [passage]), strict=True))
    assert turned["exchanged"] == 1
    assert same["exchanged"] == 0


@given(st.text(max_size=300), st.lists(st.text(max_size=300), max_size=4))
def test_any_text_gets_a_probability(claim: str, passages: list[str]) -> None:
    assert 0 <= groundedness(claim, passages) <= 1


@given(st.lists(st.sampled_from("Kell Asti 1889 40 not sold press in the , . % million".split()), max_size=200))
def test_a_sentence_is_supported_by_itself(words: list[str]) -> None:
    sentence = " ".join(words)
    assert groundedness(sentence, [sentence]) > 0.9 or not sentence.strip()


def test_weights_of_other_features_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="do not fit"):
        read_groundedness({"bias": 0, "features": {"length": [0, 1, 1]}})
    with pytest.raises(ConfigurationError, match="keys"):
        read_groundedness([])


def test_a_weighing_of_a_hand_computed_case() -> None:
    weighing = read_weighing({"bias": -1, "features": {"a": [2, 4, 8], "b": [0, 1, 1]}}, ["a", "b"])
    assert weighing.log_odds([3, 1]) == pytest.approx(-1 + 8 * (3 - 2) / 4 + 1)
    assert weighing.probability([1.5, 0]) == pytest.approx(1 / (1 + 2.718281828**2))


RECORDS = (
    "courses.for: Everyone\ncourses.length: 90 minutes, online\ncourses.renewal: The course is renewed every year.\n"
    * 9
)


def test_lines_quoted_as_they_stand_are_supported_however_long_they_are() -> None:
    claim = "Everyone courses.length: 90 minutes, online courses.renewal: The course is renewed every year."
    assert groundedness(claim, ["Something else.", RECORDS]) == 1.0
    assert groundedness(claim.replace("90", "80"), [RECORDS]) < 1.0


@pytest.mark.parametrize("claim", ["The fee is waived", "fee is waived for members", "waived"])
def test_part_of_a_sentence_quoted_as_it_stands_is_weighed_like_any_claim(claim: str) -> None:
    denied = "Nobody should believe that the fee is waived for members, whatever the leaflet says."
    assert groundedness(claim, [denied]) < 1.0
