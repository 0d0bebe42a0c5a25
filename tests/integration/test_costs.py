"""What an answer cost: on its receipt, on its trace and among the metrics, by the price that the settings give."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from integration.trace_receiver import receiving
from integration.traced_house import LEAVE, QUESTION, House, configured
from ragstead.pipelines.ingest import Submission
from ragstead.settings import load_settings
from services.live_server import serving_platform
from services.scripted_model import Step, says, scripted

PRICE = {"input_usd_per_million": 3.0, "output_usd_per_million": 15.0}
ONCE = (11 * 3.0 + 7 * 15.0) / 1_000_000
ANSWER = says("Parents take 20 days of leave each year [1].")
FOLLOW_UP = [
    {"role": "user", "content": "Is there leave for parents?"},
    {"role": "assistant", "content": "There is."},
    {"role": "user", "content": "How many days of it do they take each year?"},
]


@contextmanager
def priced(folder: Path, *scripts: Sequence[Step], price: dict[str, float] | None, **more: Any) -> Iterator[House]:
    with receiving() as receiver, scripted(*scripts) as model:
        settings = configured(folder, receiver.url, model.base_url)
        settings["deployment"]["generation"]["models"]["tiny"]["price"] = price
        settings["deployment"] |= more
        file = folder / "ragstead.yaml"
        file.write_text(yaml.safe_dump(settings), "utf-8")
        loaded = load_settings(file, data_dir=folder / "data", environ={})
        with serving_platform(loaded, {"default": [Submission("leave.md", "leave.md", LEAVE.encode())]}) as url:
            yield House(url, receiver)


def test_an_answer_tells_what_its_model_cost_whole_and_streamed_on_its_trace_and_in_the_metrics(tmp_path: Path) -> None:
    with priced(tmp_path, ANSWER, price=PRICE) as house:
        answer = house.ask(QUESTION)
        assert answer["rag"]["model"] == "tiny"
        assert answer["rag"]["cost_usd"] == pytest.approx(ONCE)
        body = {"model": "ragstead", "stream": True, "messages": [{"role": "user", "content": QUESTION}]}
        text = httpx.post(f"{house.url}/v1/chat/completions", json=body, timeout=60).text
        assert json.loads(text.split("\n\n")[-3][6:])["rag"]["cost_usd"] == pytest.approx(ONCE)
        spans = house.langfuse.trace(answer["rag"]["trace_id"])
        costs = json.loads(spans["chat"].attributes["langfuse.observation.cost_details"])
        assert costs == pytest.approx({"input": 33e-6, "output": 105e-6, "total": ONCE})
        assert not [name for name, one in spans.items() if name != "chat" and _costs(one.attributes)]
        told = json.loads(spans["answer"].attributes["langfuse.observation.metadata.cost_usd"])
        assert told == pytest.approx(ONCE)
        name = 'ragstead_model_cost_usd_total{model="tiny"}'
        assert house.metrics("ragstead_model_cost")[name] == pytest.approx(2 * ONCE)


def test_what_condensed_and_planned_is_on_the_receipt_too(tmp_path: Path) -> None:
    condensed = says("How many days of leave do parents take each year?")
    with priced(tmp_path, condensed, ANSWER, price=PRICE) as house:
        answer = house.ask("", messages=FOLLOW_UP)
        assert answer["rag"]["condensed_by"] == "tiny"
        assert answer["rag"]["cost_usd"] == pytest.approx(2 * ONCE)
    (tmp_path / "agent").mkdir()
    with priced(tmp_path / "agent", says("ENOUGH"), ANSWER, price=PRICE) as house:
        answer = house.ask(QUESTION, model="ragstead-agent")
        assert "tiny" in {step.get("by") for step in answer["rag"]["steps"]}
        assert answer["rag"]["cost_usd"] == pytest.approx(2 * ONCE)


def test_an_answer_that_was_kept_costs_nothing_the_second_time(tmp_path: Path) -> None:
    with priced(tmp_path, ANSWER, price=PRICE, answer_cache={"ttl_s": 60}) as house:
        first, second = house.ask(QUESTION)["rag"], house.ask(QUESTION)["rag"]
    assert (first["cache"], second["cache"]) == ("miss", "hit")
    assert first["cost_usd"] == pytest.approx(ONCE)
    assert second["cost_usd"] == 0


def test_without_a_price_nothing_is_made_up(tmp_path: Path) -> None:
    with priced(tmp_path, ANSWER, price=None) as house:
        answer = house.ask(QUESTION)
        assert answer["rag"]["model"] == "tiny"
        assert answer["rag"]["cost_usd"] is None
        spans = house.langfuse.trace(answer["rag"]["trace_id"])
        assert not [name for one in spans.values() for name in one.attributes if "cost" in name]
        assert house.metrics("ragstead_model_cost") == {}


def _costs(attributes: dict[str, Any]) -> bool:
    return any("cost_details" in name for name in attributes)
