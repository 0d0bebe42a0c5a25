import pytest

from ragstead.answering.answer_types import AnswerType, amount_held, expected_type
from ragstead.answering.contrasts import denies, modifiers, negated, opposed, stems_of
from ragstead.answering.terms import content_terms


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Who led the Norse?", AnswerType.PERSON),
        ("When did it begin?", AnswerType.TIME),
        ("In what year was it built?", AnswerType.TIME),
        ("How many people live there?", AnswerType.NUMBER),
        ("How much did it cost?", AnswerType.MONEY),
        ("What percentage of votes is needed?", AnswerType.PERCENT),
        ("Where is Normandy?", AnswerType.PLACE),
        ("In what country is Normandy located?", AnswerType.PLACE),
        ("Why did it fail?", AnswerType.REASON),
        ("How do I add a middleware?", AnswerType.MANNER),
        ("Is it open?", AnswerType.YES_NO),
        ("What is photosynthesis?", AnswerType.OTHER),
        ("", AnswerType.OTHER),
        ("谁的到来", AnswerType.OTHER),
        ("🙂" * 9, AnswerType.OTHER),
    ],
)
def test_the_expected_type_follows_the_question_word_and_the_head_noun(question: str, kind: AnswerType) -> None:
    assert expected_type(question) is kind


@pytest.mark.parametrize(
    ("kind", "sentence", "amount"),
    [
        (AnswerType.TIME, "It opened in May 1852.", 1.0),
        (AnswerType.TIME, "It opened late.", 0.0),
        (AnswerType.NUMBER, "There were 42 of them.", 1.0),
        (AnswerType.NUMBER, "There were twelve of them.", 1.0),
        (AnswerType.PERSON, "the leader was Harald Bluetooth", 1.0),
        (AnswerType.PERSON, "nobody led them", 0.0),
        (AnswerType.PERCENT, "about 40 % of it", 1.0),
        (AnswerType.MONEY, "it cost $ 3", 1.0),
        (AnswerType.OTHER, "In 1852 Paul paid $3.", 0.0),
    ],
)
def test_a_sentence_holds_what_the_question_does_not_say(kind: AnswerType, sentence: str, amount: float) -> None:
    assert amount_held(kind, sentence, set()) == amount


def test_what_the_question_says_itself_is_no_answer() -> None:
    stems = set(content_terms("What did Harald Bluetooth do in 1066?"))
    assert amount_held(AnswerType.PERSON, "then came Harald Bluetooth", stems) == 0
    assert amount_held(AnswerType.TIME, "it was 1066", stems) == 0.5


def test_an_opposite_in_the_evidence_opposes_unless_the_word_is_there_too() -> None:
    asked = stems_of("Which courts rejected the direct claim?")
    assert opposed(asked, stems_of("Courts accepted the indirect claim.")) == 2
    assert opposed(asked, stems_of("Courts rejected or accepted the direct claim.")) == 0


def test_negations_denials_and_modifiers_are_seen() -> None:
    assert negated("What didn't he do?")
    assert not negated("What did he do?")
    assert denies("What did they fail to do?")
    assert modifiers("The first of the largest") == {"first", "largest"}


def test_chinese_is_read_as_bigrams() -> None:
    assert content_terms("维京定居") == ["维京", "京定", "定居"]
