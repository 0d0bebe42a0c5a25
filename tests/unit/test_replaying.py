from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ragstead.replaying import Difference, ToldAnswer, differences

THEN = ToldAnswer(
    "27 days [1].", False, None, 0.91, "r-aaaaaaaaaaaa", 3, "extractive", (("leave.md", "27 days of leave"),)
)


def test_the_same_answer_differs_in_nothing() -> None:
    assert differences(THEN, THEN) == ()


def test_another_release_is_named_before_the_words_that_it_changed() -> None:
    now = replace(THEN, release="r-bbbbbbbbbbbb", answer="31 days [1].")
    assert differences(THEN, now) == (
        Difference("release", "r-aaaaaaaaaaaa", "r-bbbbbbbbbbbb"),
        Difference("answer", "27 days [1].", "31 days [1]."),
    )


def test_white_space_alone_is_no_difference() -> None:
    assert (
        differences(THEN, replace(THEN, answer=" 27  days [1].\n", quotes=(("leave.md", "27 days\nof leave"),))) == ()
    )


def test_a_probability_differs_from_half_a_hundredth_on() -> None:
    assert differences(THEN, replace(THEN, p_supported=0.914)) == ()
    assert differences(THEN, replace(THEN, p_supported=0.92)) == (Difference("p_supported", 0.91, 0.92),)


def test_a_citation_that_went_and_one_that_came_are_told_apart() -> None:
    now = replace(THEN, quotes=(("notice.md", "27 days of leave"),))
    assert differences(THEN, now) == (
        Difference("citation", "leave.md: 27 days of leave", None),
        Difference("citation", None, "notice.md: 27 days of leave"),
    )


def test_a_refusal_where_there_was_an_answer_says_why() -> None:
    now = replace(THEN, refused=True, reason="low_support", quotes=())
    assert [one.what for one in differences(THEN, now)] == ["refused", "reason", "citation"]


_ANSWERS = st.builds(
    ToldAnswer,
    st.text(max_size=20),
    st.booleans(),
    st.sampled_from([None, "low_support"]),
    st.floats(0, 1),
    st.sampled_from(["r-1", "r-2"]),
    st.integers(0, 2),
    st.sampled_from(["extractive", "m"]),
    st.lists(st.tuples(st.sampled_from("ab"), st.text(max_size=4)), max_size=3).map(tuple),
)


@given(_ANSWERS, _ANSWERS)
def test_differences_turned_round_are_the_same_with_then_and_now_exchanged(one: ToldAnswer, two: ToldAnswer) -> None:
    there = {(d.what, str(d.then), str(d.now)) for d in differences(one, two)}
    back = {(d.what, str(d.now), str(d.then)) for d in differences(two, one)}
    assert {what for what, _, _ in there} == {what for what, _, _ in back}
    assert there == back
