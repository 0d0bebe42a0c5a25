import pytest

from ragstead.answering.answer_types import AnswerType, amount_held, expected_type
from ragstead.answering.contrasts import denied_in_question, denies, modifiers, negated
from ragstead.answering.oppositions import OPPOSITES, RIVALS, opposed, rivalled
from ragstead.answering.substitutions import words_of
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
    asked = words_of("Which courts rejected the direct claim?").held
    assert opposed(asked, words_of("Courts accepted the indirect claim.").held) == 2
    assert opposed(asked, words_of("Courts rejected or accepted the direct claim.").held) == 0


def test_a_rival_in_the_evidence_counts_unless_the_question_asks_for_it_too() -> None:
    asked = words_of("What did the father sign in March?").held
    assert rivalled(asked, words_of("The mother signed it in May.").held) == 2
    assert rivalled(asked, words_of("The father signed it in March, the mother in May.").held) == 0
    both = words_of("Did the father or the mother sign?").held
    assert rivalled(both, words_of("The mother signed.").held) == 0


def test_opposites_and_rivals_hold_in_both_directions_and_never_of_the_word_itself() -> None:
    for table in (OPPOSITES, RIVALS):
        assert all(word in table[other] for word, others in table.items() for other in others)
        assert not any(word in others for word, others in table.items())


def test_negations_denials_and_modifiers_are_seen() -> None:
    assert negated("What didn't he do?")
    assert not negated("What did he do?")
    assert denies("What did they fail to do?")
    assert modifiers(["The", "First", "of", "the", "largest"]) == {"first", "largest"}


@pytest.mark.parametrize("text", ["Who didn't go?", "Who isn\u2019t there?", "which did not work", "Who didnt go?"])
def test_a_question_with_a_negated_auxiliary_is_seen(text: str) -> None:
    assert denied_in_question(text)


@pytest.mark.parametrize("text", ["Who wants not?", "What is the point?", "the document", "a nation"])
def test_other_words_are_no_negated_auxiliary(text: str) -> None:
    assert not denied_in_question(text)


def test_chinese_is_read_as_bigrams() -> None:
    assert content_terms("维京定居") == ["维京", "京定", "定居"]
