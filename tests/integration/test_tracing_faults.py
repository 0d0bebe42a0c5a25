"""A Langfuse that hangs, fails, refuses or hangs up: no answer waits, what is lost is counted, the end is bounded."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from integration.platform_process import running
from integration.trace_receiver import receiving
from integration.traced_house import LEAVE, QUESTION, House, configured, housed


@pytest.mark.parametrize("mode", ["hang", "500", "drop"])
def test_no_question_waits_for_a_backend_in_trouble_and_what_is_lost_is_counted(tmp_path: Path, mode: str) -> None:
    with receiving(mode) as receiver:
        with housed(tmp_path, receiver, max_waiting=100, shutdown_s=1.0, timeout_s=1.0) as house:
            house.ask(QUESTION)
            began = time.monotonic()
            for n in range(60):
                house.ask(f"{QUESTION} {n}")
            took_s = time.monotonic() - began
            key = 'ragstead_trace_spans_total{backend="langfuse",outcome="%s"}'
            receiver.until(lambda: house.metrics()[key % "dropped"] > 0)
            receiver.until(lambda: house.metrics()['ragstead_trace_backend_up{backend="langfuse"}'] == 0)
            assert house.metrics()[key % "sent"] == 0
            ready = httpx.get(f"{house.url}/health/ready")
            assert ready.status_code == 200
            assert "did not take" in ready.json()["dependencies"]["traces in langfuse"]["detail"]
            began = time.monotonic()
        assert time.monotonic() - began < 6  # the bound, and the rest of the platform's end
    assert took_s < 20


def test_backend_that_comes_back_gets_what_waited(tmp_path: Path) -> None:
    with receiving("500") as receiver, housed(tmp_path, receiver) as house:
        trace_id = house.ask(QUESTION)["rag"]["trace_id"]
        receiver.until(lambda: bool(receiver.requests))
        receiver.mode = "ok"
        assert "generate" in receiver.trace(trace_id)
        key = 'ragstead_trace_spans_total{backend="langfuse",outcome="%s"}'
        receiver.until(lambda: house.metrics()[key % "sent"] == len(receiver.spans))
        assert house.metrics()[key % "failed"] == 0


def test_scores_that_are_refused_one_by_one_are_counted(tmp_path: Path) -> None:
    with receiving("207") as receiver, housed(tmp_path, receiver) as house:
        house.traced(QUESTION)
        lost = 'ragstead_trace_scores_total{backend="langfuse",outcome="failed"}'
        receiver.until(lambda: house.metrics()[lost] == 1)
        assert house.metrics()['ragstead_trace_scores_total{backend="langfuse",outcome="sent"}'] == 2


def test_sample_of_none_sends_nothing_and_answers_all_the_same(tmp_path: Path) -> None:
    with receiving() as receiver:
        with housed(tmp_path, receiver, sample_rate=0) as house:
            answer = house.ask(QUESTION)
            given = {"response_id": answer["id"], "score": 1}
            assert httpx.post(f"{house.url}/v1/feedback", json=given).status_code == 404
        assert receiver.requests == []
    assert len(answer["rag"]["trace_id"]) == 32


@pytest.mark.parametrize("mode", ["ok", "hang"])
def test_process_ends_in_time_and_leaves_no_child(tmp_path: Path, mode: str) -> None:
    with receiving(mode) as receiver:
        shutdown_s = 15.0 if mode == "ok" else 1.0
        settings = configured(tmp_path, receiver.url, shutdown_s=shutdown_s, interval_s=30.0, timeout_s=30.0)
        with running(tmp_path, settings) as (process, url):
            document = {"documents": [{"document_id": "leave.md", "text": LEAVE}]}
            assert httpx.post(f"{url}/v1/vector_stores/default/documents", json=document).status_code == 202
            House(url, receiver).ask("Nothing of that sort?")
            time.sleep(1.0)
            children = _children(process.pid)
            process.send_signal(signal.SIGTERM)
            began = time.monotonic()
            assert process.wait(30) == 0
            assert mode == "ok" or time.monotonic() - began < 8
        assert not [child for child in children if Path(f"/proc/{child}").exists()]
        if mode == "ok":
            assert "answer" in {one.name for one in receiver.spans}  # sent at the end, not after thirty seconds


def _children(pid: int) -> list[str]:
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return listed.stdout.split()
