"""The agent: what it finds, where it does not go, when it stops, and what it does when its model misbehaves."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import openai
import pytest
import yaml

from ragstead.bootstrap.platform import Platform, open_platform
from ragstead.errors import ConfigurationError
from ragstead.filters import parse_filter
from ragstead.model import AgentStep, Answer, Reason, Strategy
from ragstead.pipelines.asking import AskRequest
from ragstead.pipelines.ingest import Submission
from ragstead.settings import Settings, load_settings
from services.live_server import serving_platform
from services.scripted_model import DONE, HEAD, ScriptedModel, Step, event, refuses, says, scripted

TIDE = "The tide turns at noon. The harbour closes at six in the evening."
QUESTION = "When does the tide turn?"
BOTH = "When does the tide turn and who is the cook?"
SECRET = "The vault is opened with the number 4711."
DOCUMENTS = {
    "default": [
        Submission("tide", "tide.txt", TIDE.encode(), attributes={"year": 2024}, plain_text=True),
        Submission("cook", "cook.txt", b"The cook is called Marta Silva.", attributes={"year": 2024}, plain_text=True),
        Submission("old", "old.txt", SECRET.encode(), attributes={"year": 1999}, plain_text=True),
    ],
    "private": [Submission("vault", "vault.txt", SECRET.encode(), plain_text=True)],
}
QUOTED = says("The tide turns at noon [1].")
NONSENSE = {
    "a tool": '<tool_call>{"name": "delete_collection", "arguments": {"name": "default"}}</tool_call>',
    "json": '{"queries": ["tide"], "filter": null',
    "nothing": " ",
    "an answer": "The tide turns at midnight [99].",
}


def settings_of(folder: Path, base_url: str = "", **agent: object) -> Settings:
    folder.mkdir(exist_ok=True)
    file = folder / "ragstead.yaml"
    tiny = {"base_url": base_url, "first_token_s": 1.0, "between_tokens_s": 0.5, "connect_s": 1.0}
    tiny |= {"hosted": agent.pop("hosted", False)}
    pipeline = {"answer": {"generator": "tiny" if base_url else "extractive"}, "agent": agent}
    deployment = {"generation": {"models": {"tiny": tiny} if base_url else {}}}
    file.write_text(yaml.safe_dump({"pipeline": pipeline, "deployment": deployment}))
    return load_settings(file, data_dir=folder / "data", environ={})


async def filled(platform: Platform) -> None:
    for name, submissions in DOCUMENTS.items():
        await platform.ingestor.submit(name, submissions)
        await platform.ingestor.settle(name)


def ask(settings: Settings, *requests: AskRequest) -> list[Answer]:
    async def run() -> list[Answer]:
        async with open_platform(settings) as platform:
            await filled(platform)
            return [await platform.answerer.answer(replace(one, agent=True)) for one in requests]

    return asyncio.run(run())


def searches(answer: Answer) -> list[str]:
    return [step.query for step in answer.receipt.steps if step.query is not None]


def plans(answer: Answer) -> list[AgentStep]:
    return [step for step in answer.receipt.steps if step.action == "plan"]


def planning(server: ScriptedModel) -> list[dict[str, Any]]:
    return [asked for asked in server.asked if "SEARCH:" in json.dumps(asked)]


def test_without_a_model_each_part_of_a_question_is_searched_for_and_answered(tmp_path: Path) -> None:
    both, one = ask(settings_of(tmp_path), AskRequest(BOTH), AskRequest(QUESTION))
    assert both.content == "The tide turns at noon [1]. The cook is called Marta Silva [2]."
    assert [citation.stored.document_id for citation in both.citations] == ["tide", "cook"]
    assert searches(both) == [BOTH, QUESTION, "who is the cook?"]
    assert [step.action for step in both.receipt.steps] == ["plan", "search", "search", "search", "judge"]
    assert one.receipt.steps[-1].p_supported == pytest.approx(one.p_supported, abs=1e-4)


def test_simple_question_gets_the_answer_of_the_plain_pipeline(tmp_path: Path) -> None:
    async def run() -> tuple[Answer, Answer]:
        async with open_platform(settings_of(tmp_path)) as platform:
            await filled(platform)
            request = AskRequest(QUESTION)
            return await platform.answerer.answer(request), await platform.answerer.answer(replace(request, agent=True))

    plain, agent = asyncio.run(run())
    assert (agent.content, agent.citations, agent.p_supported) == (plain.content, plain.citations, plain.p_supported)
    assert agent.receipt.release == plain.receipt.release
    assert plain.receipt.steps == ()


def test_part_without_evidence_is_said_to_have_none_and_a_question_without_is_refused(tmp_path: Path) -> None:
    half, none = ask(
        settings_of(tmp_path),
        AskRequest("When does the tide turn and who is the mayor of Paris?"),
        AskRequest("Who is the mayor of Paris?"),
    )
    assert half.content == (
        "The tide turns at noon [1]. "
        "I found no passage in the collection “default” that answers “who is the mayor of Paris?”."
    )
    assert (half.refused, len(half.citations)) == (False, 1)
    assert (none.refused, none.reason, none.citations) == (True, Reason.NO_EVIDENCE, ())
    assert len(plans(none)) <= 3


def test_models_plan_finds_what_the_questions_words_do_not(tmp_path: Path) -> None:
    async def run(settings: Settings) -> Answer:
        async with open_platform(settings) as platform:
            words = "Many a cook of the town was asked where the cook would live and eat, and told us number {}."
            texts = [words.format(n) for n in range(30)] + [
                "The cook is called Marta Silva.",
                "Silva has a home in Porto.",
            ]
            made = [Submission(f"d{n}", f"{n}.txt", text.encode(), plain_text=True) for n, text in enumerate(texts)]
            await platform.ingestor.submit("default", made)
            await platform.ingestor.settle("default")
            return await platform.answerer.answer(AskRequest("Where does the cook live?", agent=True))

    answered = [HEAD, event("Silva has a home in Porto [2]."), event(finish="stop"), event(usage=(20, 5)), DONE]
    with scripted(says("SEARCH: Silva home"), says("ENOUGH"), answered) as server:
        answer = asyncio.run(run(settings_of(tmp_path, server.base_url, enough=0.99)))
        prompts = [json.dumps(one) for one in server.asked]
    assert ["Porto" in prompt for prompt in prompts] == [False, True, True]
    assert searches(answer) == ["Where does the cook live?", "Silva home"]
    assert plans(answer)[1] == AgentStep("plan", by="tiny", queries=1)
    assert (answer.receipt.prompt_tokens, answer.receipt.completion_tokens) == (11 + 11 + 20, 7 + 7 + 5)


def test_plan_cannot_leave_filter_collection_or_strategy(tmp_path: Path) -> None:
    year = parse_filter({"type": "eq", "key": "year", "value": 2024})
    request = AskRequest(QUESTION, filter=year, strategy=Strategy.LEXICAL)
    plan = says(f"SEARCH: {SECRET}\nSEARCH: collection:private vault\nSEARCH: filter:none year 1999 vault number")
    with scripted(plan, says("The vault is opened with the number 4711 [1].")) as server:
        (answer,) = ask(settings_of(tmp_path, server.base_url), request)
        prompt = json.dumps(server.asked[-1]["messages"])
    assert len(searches(answer)) == 4
    assert answer.refused
    assert "The tide turns at noon" in prompt
    assert "vault" not in prompt


def test_plans_without_end_are_stopped_after_the_last_round(tmp_path: Path) -> None:
    with scripted(*[says(f"SEARCH: thing number {n}") for n in range(50)]) as server:
        (answer,) = ask(settings_of(tmp_path, server.base_url, max_steps=4), AskRequest("Who is the mayor of Paris?"))
        assert len(server.asked) == 3
    assert answer.refused
    assert [step.action for step in answer.receipt.steps].count("judge") == 4


def test_plan_that_repeats_itself_ends_the_search(tmp_path: Path) -> None:
    with scripted(says("SEARCH: mayor Paris")) as server:
        (answer,) = ask(settings_of(tmp_path, server.base_url, max_steps=9), AskRequest("Who is the mayor of Paris?"))
        assert len(server.asked) == 2
    assert plans(answer)[-1].queries == 0


def test_more_searches_than_allowed_are_not_made(tmp_path: Path) -> None:
    plan = says("\n".join(f"SEARCH: thing number {n}" for n in range(40)))
    with scripted(plan, QUOTED) as server:
        (answer,) = ask(settings_of(tmp_path, server.base_url, max_queries=2), AskRequest(QUESTION))
    assert searches(answer) == [QUESTION, "thing number 0", "thing number 1"]


@pytest.mark.parametrize("words", NONSENSE.values(), ids=NONSENSE.keys())
def test_plan_that_is_none_is_replaced_by_rules(tmp_path: Path, words: str) -> None:
    with scripted(says(words), QUOTED) as server:
        (answer,) = ask(settings_of(tmp_path, server.base_url), AskRequest(QUESTION))
    assert answer.content == "The tide turns at noon [1]."
    assert plans(answer)[1] == AgentStep("plan", by="rules", queries=0, note="tiny wrote no plan")


def test_marks_that_point_nowhere_are_dropped_as_ever(tmp_path: Path) -> None:
    words = says("The tide turns at noon [1]. The cook is a robot [99].")
    with scripted(says("ENOUGH"), words) as server:
        (answer,) = ask(settings_of(tmp_path, server.base_url), AskRequest(QUESTION))
    assert (answer.content, answer.receipt.dropped_citations) == ("The tide turns at noon [1].", 1)


def test_model_is_not_asked_beyond_its_tokens(tmp_path: Path) -> None:
    costly = [HEAD, event("SEARCH: mayor"), event(finish="stop"), event(usage=(5900, 90)), DONE]
    with scripted(costly) as server:
        (answer,) = ask(settings_of(tmp_path, server.base_url), AskRequest("Who is the mayor of Paris?"))
        assert len(server.asked) == 1
        assert server.asked[0]["max_tokens"] == 200
    assert plans(answer)[-1].note == "tiny would go over the tokens for planning"
    assert answer.receipt.prompt_tokens == 5900
    with scripted(QUOTED) as server:
        (answer,) = ask(settings_of(tmp_path, server.base_url, max_tokens=0), AskRequest(QUESTION))
        assert not planning(server)


def test_plan_without_end_is_hung_up_on(tmp_path: Path) -> None:
    endless: list[Step] = [HEAD, *[event("SEARCH: more and more\n") for _ in range(200)], 30.0]
    with scripted(endless, QUOTED) as server:
        (answer,) = ask(settings_of(tmp_path, server.base_url), AskRequest(QUESTION))
        assert server.hung_up.wait(5)
    assert searches(answer) == [QUESTION, "more and more"]
    assert answer.content == "The tide turns at noon [1]."


@pytest.mark.parametrize("script", [refuses(500), refuses(429), ["abort"], [HEAD, 5.0]])
def test_model_that_is_down_or_busy_leaves_the_agent_to_the_rules(tmp_path: Path, script: list[Step]) -> None:
    with scripted(script) as server:
        (answer,) = ask(settings_of(tmp_path, server.base_url), AskRequest(BOTH))
    assert answer.content == "The tide turns at noon [1]. The cook is called Marta Silva [2]."
    assert (plans(answer)[1].note or "").startswith("tiny is ")
    assert answer.receipt.route.startswith("fallback: tiny ")


def test_model_that_dawdles_is_not_waited_for(tmp_path: Path) -> None:
    dawdles: list[Step] = [HEAD, *[step for _ in range(40) for step in (event("S"), 0.2)]]
    with scripted(dawdles, QUOTED) as server:
        (answer,) = ask(settings_of(tmp_path, server.base_url, patience_s=0.5), AskRequest(QUESTION))
        assert server.hung_up.wait(5)
    assert plans(answer)[1].note == "tiny is too slow"
    assert answer.content == "The tide turns at noon [1]."


def test_hosted_model_plans_for_no_collection_that_keeps_its_texts(tmp_path: Path) -> None:
    with scripted(says("SEARCH: tide")) as server:
        (answer,) = ask(settings_of(tmp_path, server.base_url, hosted=True), AskRequest(QUESTION))
        assert server.asked == []
    assert "egress: allow" in (plans(answer)[1].note or "")


def test_planner_that_is_not_described_is_refused_and_rules_need_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="'gpt' is none of extractive; describe"):
        ask(settings_of(tmp_path, planner="gpt"), AskRequest(QUESTION))
    with scripted(QUOTED) as server:
        (answer,) = ask(settings_of(tmp_path, server.base_url, planner="rules"), AskRequest(QUESTION))
        assert len(server.asked) == 1
    assert answer.receipt.model == "tiny"


CHAT: dict[str, Any] = {"model": "ragstead-agent", "messages": [{"role": "user", "content": BOTH}]}


def test_openais_client_drives_the_agent_streamed_and_not(tmp_path: Path) -> None:
    with (
        serving_platform(settings_of(tmp_path), DOCUMENTS) as url,
        openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client,
    ):
        listed = {model.id: model.model_extra["capabilities"] for model in client.models.list()}
        assert listed["ragstead-agent"] == listed["ragstead"] == {
            "stream": True, "tools": False, "response_format": False, "logprobs": False
        }  # fmt: skip
        whole = client.chat.completions.create(**CHAT)
        chunks = list(client.chat.completions.create(**CHAT, stream=True, stream_options={"include_usage": True}))
        with pytest.raises(openai.BadRequestError, match="'ragstead-agent' can't do that"):
            client.chat.completions.create(**CHAT, tools=[{"type": "function", "function": {"name": "f"}}])
        with pytest.raises(openai.NotFoundError, match="no collection named 'gone'"):
            client.chat.completions.create(**CHAT, extra_body={"rag": {"collection": "gone"}})
        filtered = client.chat.completions.create(
            **CHAT, extra_body={"rag": {"filter": {"type": "eq", "key": "year", "value": 1999}}}
        )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == whole.choices[0].message.content == "The tide turns at noon [1]. The cook is called Marta Silva [2]."
    last = chunks[-1]
    assert last.model_extra["citations"] == whole.model_extra["citations"]
    assert last.usage == whole.usage
    varying = {"trace_id", "timings_ms", "cache"}
    ours, theirs = (
        {name: value for name, value in one.model_extra["rag"].items() if name not in varying} for one in (last, whole)
    )
    assert ours == theirs
    assert ours["steps"][1] == {"action": "search", "query": BOTH, "hits": 3}
    assert filtered.model_extra["rag"]["refused"] is True


def test_agent_follows_a_conversation_that_the_server_keeps(tmp_path: Path) -> None:
    with (
        serving_platform(settings_of(tmp_path), DOCUMENTS) as url,
        openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client,
    ):
        kept = client.post("/conversations", cast_to=dict[str, Any], body={})
        said = []
        for question in (QUESTION, "And when does the harbour close, and who is the cook?"):
            answer = client.chat.completions.create(
                model="ragstead-agent",
                messages=[{"role": "user", "content": question}],
                extra_body={"rag": {"conversation_id": kept["id"]}},
            )
            said.append((answer.choices[0].message.content, answer.model_extra["rag"]["steps"]))
    assert said[0][0] == "The tide turns at noon [1]."
    assert "six in the evening [1]" in str(said[1][0])
    assert "Marta Silva [2]" in str(said[1][0])


def test_answers_are_kept_unless_rules_planned_in_a_models_place(tmp_path: Path) -> None:
    async def run(settings: Settings) -> list[str]:
        async with open_platform(settings) as platform:
            await filled(platform)
            asked = [AskRequest(QUESTION, agent=agent) for agent in (False, True, True)]
            return [(await platform.answerer.answer(one)).receipt.cache for one in asked]

    assert asyncio.run(run(settings_of(tmp_path / "rules"))) == ["miss", "miss", "hit"]
    with scripted(QUOTED, says("no plan"), QUOTED, says("ENOUGH"), QUOTED) as server:
        assert asyncio.run(run(settings_of(tmp_path / "model", server.base_url))) == ["miss", "miss", "miss"]


def test_client_that_hangs_up_stops_the_agents_model(tmp_path: Path) -> None:
    with (
        scripted([HEAD, 30.0]) as server,
        serving_platform(patient(settings_of(tmp_path, server.base_url)), DOCUMENTS) as url,
        openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=1.0) as client,
    ):
        for stream in (True, False):
            with pytest.raises(openai.APITimeoutError):
                client.chat.completions.create(**CHAT, stream=stream)
            assert server.hung_up.wait(5)
            server.hung_up.clear()
        assert len(planning(server)) == 2


def patient(settings: Settings) -> Settings:
    """The same with a model that is waited for."""
    raw = settings.model_dump()
    raw["deployment"]["generation"]["models"]["tiny"] |= {"first_token_s": 20.0, "between_tokens_s": 20.0}
    return Settings.model_validate(raw)
