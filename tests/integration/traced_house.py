"""A platform that is traced, and the receiver that its traces arrive at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from integration.trace_receiver import ReceivedSpan, Receiver
from ragstead.pipelines.ingest import Submission
from ragstead.settings import load_settings
from services.live_server import serving_platform

LEAVE = "Parents take 20 days of leave each year. Lunch is free on Fridays. The harbour master is Maria Lopez."
SECRETS = "Write to jane.roe@example.com for a badge. Badges are green."
QUESTION = "How many days of leave do parents take?"


@dataclass
class House:
    """A platform that is traced, and where its traces arrive."""

    url: str
    langfuse: Receiver

    def ask(self, question: str, headers: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
        body = {"model": "ragstead", "messages": [{"role": "user", "content": question}], **more}
        answer = httpx.post(f"{self.url}/v1/chat/completions", json=body, headers=headers, timeout=60)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def traced(self, question: str, **more: Any) -> dict[str, ReceivedSpan]:
        return self.langfuse.trace(self.ask(question, **more)["rag"]["trace_id"])

    def metrics(self, start: str = "ragstead_trace_") -> dict[str, float]:
        lines = httpx.get(f"{self.url}/metrics").text.splitlines()
        return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(start)}


def configured(folder: Path, langfuse: str | None, model: str | None = None, **tracing: Any) -> dict[str, Any]:
    (folder / "public").write_text("pk-lf-test", "utf-8")
    (folder / "secret").write_text("sk-lf-test", "utf-8")
    keys = {"public_key": f"file:{folder / 'public'}", "secret_key": f"file:{folder / 'secret'}"}
    where = {"langfuse": {"host": langfuse, **keys}} if langfuse else {}
    deployment: dict[str, Any] = {"tracing": {**where, "interval_s": 0.1, "timeout_s": 2, **tracing}}
    settings: dict[str, Any] = {"deployment": deployment}
    if model is not None:
        described = {"base_url": model, "first_token_s": 5, "between_tokens_s": 5, "connect_s": 1}
        settings["pipeline"] = {"answer": {"generator": "tiny"}}
        deployment |= {"generation": {"models": {"tiny": described}}, "answer_cache": {"ttl_s": 0}}
    return settings


@contextmanager
def housed(folder: Path, receiver: Receiver, model: str | None = None, **tracing: Any) -> Iterator[House]:
    file = folder / "ragstead.yaml"
    file.write_text(yaml.safe_dump(configured(folder, receiver.url, model, **tracing)), "utf-8")
    settings = load_settings(file, data_dir=folder / "data", environ={})
    documents = [Submission("leave.md", "leave.md", LEAVE.encode()), Submission("b.md", "b.md", SECRETS.encode())]
    with serving_platform(settings, {"default": documents}) as url:
        yield House(url, receiver)
