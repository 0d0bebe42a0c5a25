"""`rag.template`: named prompt templates, with a model, without one, and with one that is down."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import yaml

from integration.test_generation import QUESTION, ask, settings_of
from ragstead.bootstrap.blueprints import configured
from ragstead.bootstrap.generation import prompt_templates
from ragstead.bootstrap.plans import answer_plan
from ragstead.bootstrap.platform import open_platform
from ragstead.errors import ConfigurationError, InvalidRequest, Unavailable
from ragstead.model import Reason
from ragstead.pipelines.asking import AskRequest
from ragstead.pipelines.ingest import Submission
from ragstead.ports.generator import Sampling
from ragstead.prompting import read_template
from ragstead.settings import DeploymentSettings, GenerationSettings, Settings, load_settings
from services.scripted_model import refuses, says, scripted

NAMES = ["answer", "project_health_check", "summary"]
SHOWN = Path(__file__).parents[2] / "configs" / "prompts"


def instructions(asked: dict[str, object]) -> str:
    messages = asked["messages"]
    assert isinstance(messages, list)
    return str(messages[0]["content"])


def test_every_template_that_comes_with_us_shows_in_the_configuration() -> None:
    ours = prompt_templates(Settings())
    assert list(ours) == NAMES
    assert {path.stem: read_template(path) for path in SHOWN.glob("*.yaml")} == ours


def test_request_names_its_template_with_its_length_and_the_callers_own_goes_before(tmp_path: Path) -> None:
    requests = [
        AskRequest(QUESTION),
        AskRequest(QUESTION, template="answer"),
        AskRequest(QUESTION, template="project_health_check"),
        AskRequest(QUESTION, template="summary", sampling=Sampling(max_tokens=40)),
    ]
    with scripted(says("The tide turns at noon [1].")) as server:
        answers = ask(settings_of(tmp_path, server.base_url), *requests)
    assert [one.content for one in answers] == ["The tide turns at noon [1]."] * 4
    assert [one["max_tokens"] for one in server.asked] == [300, 300, 600, 40]
    assert instructions(server.asked[0]) == instructions(server.asked[1])
    assert "at risk" in instructions(server.asked[2])
    assert "sum up" in instructions(server.asked[3])
    assert server.asked[3]["messages"][-1]["content"] == f"Sum up: {QUESTION}"  # type: ignore[index]


def test_topic_is_enough_for_a_summary_and_not_for_an_answer_and_nothing_is_too_little(tmp_path: Path) -> None:
    topic, elsewhere = "Why did the harbour of the tide choose noon?", "Who won the chess championship in Reykjavik?"
    requests = [
        AskRequest(topic),
        AskRequest(topic, template="summary"),
        AskRequest(elsewhere, template="summary"),
    ]
    with scripted(says("The tide turns at noon [1].")) as server:
        settings = settings_of(tmp_path, server.base_url, answer={"min_support": 0.999})
        refused, summed, off_topic = ask(settings, *requests)
    assert (refused.refused, refused.reason) == (True, Reason.LOW_SUPPORT)
    assert (summed.refused, summed.content) == (False, "The tide turns at noon [1].")
    assert (off_topic.refused, off_topic.reason) == (True, Reason.NO_EVIDENCE)
    assert len(server.asked) == 1


def test_unknown_template_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with scripted(says("x")) as server:
        for name in ("sonnet", "", "../answer", "conversation/condense", "a\x00"):
            with pytest.raises(InvalidRequest, match="there are answer, project_health_check, summary") as caught:
                ask(settings_of(tmp_path, server.base_url), AskRequest(QUESTION, template=name))
            assert caught.value.param == "rag.template"
    assert server.asked == []


def test_quotes_follow_no_template_but_answer(tmp_path: Path) -> None:
    settings = load_settings(None, data_dir=tmp_path / "data", environ={})
    (answer,) = ask(settings, AskRequest(QUESTION, template="answer"))
    assert "at noon" in answer.content
    with pytest.raises(InvalidRequest, match="needs a model, and answers here are quotes") as caught:
        ask(settings, AskRequest(QUESTION, template="summary"))
    assert (caught.value.param, caught.value.code) == ("rag.template", "unsupported_parameter")


def test_template_whose_model_is_down_is_not_filled_with_quotes_and_the_next_question_is(tmp_path: Path) -> None:
    async def run(settings: Settings) -> None:
        async with open_platform(settings) as platform:
            tide = Submission("tide", "tide.txt", b"The tide turns at noon.", plain_text=True)
            await platform.ingestor.submit("default", [tide])
            await platform.ingestor.settle("default")
            for _ in range(3):
                with pytest.raises(Unavailable, match="only quotes, and template 'summary' needs a model"):
                    await platform.answerer.answer(AskRequest(QUESTION, template="summary"))
            assert (await platform.answerer.answer(AskRequest(QUESTION))).receipt.model == "extractive"

    with scripted(refuses(500)) as server:
        asyncio.run(run(settings_of(tmp_path, server.base_url)))


def test_templates_of_ones_own_are_named_beside_ours_and_are_part_of_the_release(tmp_path: Path) -> None:
    parts = yaml.safe_load((SHOWN / "answer.yaml").read_text("utf-8"))
    (tmp_path / "haiku.yaml").write_text(yaml.safe_dump({**parts, "max_tokens": 30, "gate": "topic"}))
    generation = GenerationSettings(prompts_dir=tmp_path, models={"tiny": {"base_url": "http://127.0.0.1:9/v1"}})
    settings = Settings(
        pipeline={"answer": {"generator": "tiny"}}, deployment=DeploymentSettings(generation=generation)
    )
    plan = answer_plan(configured(settings, "index"))
    assert plan.templates.names == ("answer", "haiku", "project_health_check", "summary")
    assert plan.templates.topical == {"haiku", "project_health_check", "summary"}
    (tmp_path / "haiku.yaml").write_text(yaml.safe_dump({**parts, "max_tokens": 31}))
    assert answer_plan(configured(settings, "index")).release != plan.release


@pytest.mark.parametrize(
    "option", [{"max_tokens": "9"}, {"max_tokens": True}, {"max_tokens": 0}, {"gate": "open"}, {1: "x"}]
)
def test_option_of_a_template_that_is_off_is_refused(tmp_path: Path, option: dict[object, object]) -> None:
    parts = yaml.safe_load((SHOWN / "answer.yaml").read_text("utf-8"))
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({**parts, **option}))
    with pytest.raises(ConfigurationError, match="mine"):
        read_template(tmp_path / "mine.yaml")
