"""A sample of live answers is scored by DeepEval beside them, and the scores arrive on their traces."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest

from integration.mlflow_server import mlflow_server
from integration.test_tracing_mlflow import found, until
from integration.trace_receiver import Receiver, receiving
from integration.traced_house import LEAVE, QUESTION, House, configured
from ragstead.bootstrap.platform import open_platform
from ragstead.errors import ConfigurationError
from ragstead.pipelines.ingest import Submission
from ragstead.ports.judge import OPINIONS
from ragstead.settings import Settings
from ragstead.settings.live_scoring import LiveMeasure, LiveOpinion
from services.live_server import serving_platform
from services.scripted_model import refuses, says, scripted

DOCUMENT = Submission("leave.md", "leave.md", LEAVE.encode())


def settings_of(folder: Path, langfuse: str | None, scoring: dict[str, Any], **deployment: Any) -> Settings:
    given = configured(folder, langfuse)["deployment"]
    more = {"data_dir": folder / "data", "live_scoring": scoring}
    return Settings.model_validate({"deployment": {**given, **more, **deployment}})


@contextmanager
def scored_house(folder: Path, receiver: Receiver, scoring: dict[str, Any], **deployment: Any) -> Iterator[House]:
    settings = settings_of(folder, receiver.url, scoring, **deployment)
    with serving_platform(settings, {"default": [DOCUMENT]}) as url:
        yield House(url, receiver)


def scores_of(receiver: Receiver, trace_id: str) -> dict[str, dict[str, Any]]:
    mine = [one for one in receiver.scores if one["traceId"] == trace_id]
    return {one["name"]: one for one in mine if one["name"].startswith("deepeval_")}


def test_scores_of_the_sample_arrive_on_their_answers_traces_and_are_counted(tmp_path: Path) -> None:
    metrics = [*get_args(LiveMeasure)]
    with receiving() as receiver, scored_house(tmp_path, receiver, {"rate": 1, "metrics": metrics}) as house:
        answer = house.ask(QUESTION)
        trace_id = answer["rag"]["trace_id"]
        receiver.until(lambda: len(scores_of(receiver, trace_id)) == len(metrics))
        scores = scores_of(receiver, trace_id)
        assert house.ask(QUESTION)["rag"]["cache"] == "hit"
        assert house.ask("Which enzyme splits lactose in yeast?")["rag"]["refused"]
        conversation = httpx.post(f"{house.url}/v1/conversations", json={}).json()["id"]
        house.ask("Is lunch free on Fridays?", rag={"conversation_id": conversation})
        last = house.ask("Who is the harbour master?")["rag"]["trace_id"]
        receiver.until(lambda: len(scores_of(receiver, last)) == len(metrics))
        assert house.metrics("ragstead_live_scoring") == {
            'ragstead_live_scoring_total{outcome="scored"}': 2,
            'ragstead_live_scoring_total{outcome="dropped"}': 0,
            'ragstead_live_scoring_total{outcome="failed"}': 0,
        }
        ready = httpx.get(f"{house.url}/health/ready").json()
        assert "2 scored, 0 dropped, 0 failed" in json.dumps(ready)
    assert 0 < scores["deepeval_groundedness"]["value"] <= 1
    assert {name: one["value"] for name, one in scores.items() if name != "deepeval_groundedness"} == {
        "deepeval_citations_valid": 1,
        "deepeval_citations_fabricated": 1,  # 1: none
        "deepeval_answers_cited": 1,
    }
    assert "citations whose quote stands" in scores["deepeval_citations_valid"]["comment"]
    judged = {one["traceId"] for one in receiver.scores if one["name"].startswith("deepeval_")}
    assert judged == {trace_id, last}


def test_model_that_judges_is_asked_about_every_passage_and_its_opinion_arrives(tmp_path: Path) -> None:
    opinions = says(json.dumps({"opinions": ["so"]}))
    verdict = says(json.dumps({"verdicts": [{"verdict": "no", "reason": "so"}]}))
    scoring = {"rate": 1, "metrics": ["groundedness", "bias"], "judge": "tiny"}
    with (
        receiving() as receiver,
        scripted(opinions, verdict, says(json.dumps({"reason": "because"}))) as model,
        scored_house(
            tmp_path, receiver, scoring, generation={"models": {"tiny": {"base_url": model.base_url}}}
        ) as house,
    ):
        trace_id = house.ask(QUESTION)["rag"]["trace_id"]
        receiver.until(lambda: len(scores_of(receiver, trace_id)) == 2)
        assert scores_of(receiver, trace_id)["deepeval_bias"]["value"] == 1
        assert len(model.asked) == 3


def test_model_that_is_down_is_counted_and_costs_neither_the_answer_nor_the_other_scores(tmp_path: Path) -> None:
    scoring = {"rate": 1, "metrics": ["groundedness", "bias"], "judge": "tiny"}
    with receiving() as receiver, scripted(refuses(500)) as model:
        models = {"tiny": {"base_url": model.base_url}}
        with scored_house(tmp_path, receiver, scoring, generation={"models": models}) as house:
            trace_id = house.ask(QUESTION)["rag"]["trace_id"]
            failed = 'ragstead_live_scoring_total{outcome="failed"}'
            receiver.until(lambda: house.metrics("ragstead_live_scoring")[failed] == 1)
            receiver.until(lambda: bool(scores_of(receiver, trace_id)))
            assert list(scores_of(receiver, trace_id)) == ["deepeval_groundedness"]


def test_hosted_judge_is_shown_nothing_of_a_collection_whose_texts_stay(tmp_path: Path) -> None:
    scoring = {"rate": 1, "metrics": ["groundedness", "bias"], "judge": "tiny"}
    with receiving() as receiver, scripted(says("{}")) as model:
        models = {"tiny": {"base_url": model.base_url, "hosted": True}}
        with scored_house(tmp_path, receiver, scoring, generation={"models": models}) as house:
            trace_id = house.ask(QUESTION)["rag"]["trace_id"]
            receiver.until(lambda: bool(scores_of(receiver, trace_id)))
            assert list(scores_of(receiver, trace_id)) == ["deepeval_groundedness"]
        assert model.asked == []


@pytest.mark.slow
def test_scores_arrive_in_mlflow_as_assessments_of_the_trace(tmp_path: Path) -> None:
    with mlflow_server(tmp_path) as server:
        tracing = {"mlflow_url": server, "interval_s": 0.1, "timeout_s": 30}
        settings = settings_of(tmp_path, None, {"rate": 1}, tracing=tracing)
        with serving_platform(settings, {"default": [DOCUMENT]}) as url:
            body = {"model": "ragstead", "messages": [{"role": "user", "content": QUESTION}]}
            told = httpx.post(f"{url}/v1/chat/completions", json=body, timeout=60).json()

            def both() -> Any:
                kept = found(server, told["rag"]["trace_id"]).info.assessments
                return kept if len(kept) == 2 else None

            values = {one.name: one.feedback.value for one in until(both)}
    assert values["deepeval_citations_valid"] == 1
    assert 0 < values["deepeval_groundedness"] <= 1


def test_without_traces_nothing_is_scored_and_readiness_says_why(tmp_path: Path) -> None:
    async def main() -> dict[str, tuple[bool, str]]:
        async with open_platform(settings_of(tmp_path, None, {"rate": 1})) as platform:
            assert platform.live_scoring is None
            return await platform.readiness()

    assert asyncio.run(main())["live scoring"] == (True, "off: nothing keeps traces")


def test_judge_that_nobody_described_stops_the_start(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_platform(settings_of(tmp_path, None, {"rate": 1, "metrics": ["bias"], "judge": "nobody"})):
            pass

    with pytest.raises(ConfigurationError, match="the judge 'nobody' is not described"):
        asyncio.run(main())


def test_missing_extra_stops_the_start_with_the_command_that_mends_it(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys; from pathlib import Path\nsys.modules['deepeval'] = None\n"
        "from ragstead.bootstrap.platform import open_platform\nfrom ragstead.errors import ConfigurationError\n"
        "from ragstead.settings import Settings\n"
        "given = {'deployment': {'data_dir': sys.argv[1], 'live_scoring': {'rate': 0.1}}}\n"
        "async def main():\n    async with open_platform(Settings.model_validate(given)): pass\n"
        "try: asyncio.run(main())\nexcept ConfigurationError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=120, check=True
    )
    assert "pip install 'ragstead[deepeval]'" in done.stdout


def test_start_does_not_import_deepeval(tmp_path: Path) -> None:
    code = (
        "import asyncio, json, sys\nfrom ragstead.bootstrap.platform import open_platform\n"
        "from ragstead.settings import Settings\n"
        "given = Settings.model_validate(json.loads(sys.argv[1]))\n"
        "async def main():\n    async with open_platform(given) as platform:\n"
        "        print(platform.live_scoring.word, 'deepeval' in sys.modules)\n"
        "asyncio.run(main())"
    )
    given = settings_of(tmp_path, "http://127.0.0.1:9", {"rate": 1}).model_dump_json()
    done = subprocess.run([sys.executable, "-c", code, given], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split("\n")[0] == "0 scored, 0 dropped, 0 failed False"


def test_every_judged_metric_of_the_settings_is_one_of_the_judges() -> None:

    assert set(get_args(LiveOpinion)) < set(OPINIONS)
