"""The gateway before a model server whose every byte is scripted: what it adds, and how much it carries.

Gateways have one core, the model server and the clients share the other; what is compared runs in turns. A model of the
first script says a word each 20 ms, as one on a GPU does for each of its streams; one of the second says all at once.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from evals.bench.peers.environments import HERE, Absent, make, python_of, version_in
from evals.bench.product import RAGSTEAD, Row, Undrivable, cli, free_port, note, report, running, wait_until_ready
from evals.bench.stream_load import Streamed, request_of, streams

SCRIPTS = HERE / "scripts"
LITELLM = "litellm"
LITELLM_ENVIRON = {
    "LITELLM_LOG": "ERROR",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",  # as open as ours and the bare relay are here
    "DO_NOT_TRACK": "1",
}
GATEWAYS, OTHERS = {0}, {1}
WORDS = "the tide turns at noon and the boats come home with it " * 3
ANSWER = "The tide turns at noon [1]. Boats wait outside until the morning [1]."
DOCUMENT = "The tide turns at noon. The harbour closes at six. Boats wait outside until the morning."
QUESTION = "When does the tide turn?"
FIRST_MS, BETWEEN_MS = 50, 20
ROUNDS, LOAD_S, LOAD_CLIENTS = 3, 6.0, 32
MODEL = "scripted"


@dataclass
class Measured:
    """What was measured of one server, by number of clients or by round.

    Attributes:
        first_ms: To the first words, by number of streams.
        a_second: Answers a second, by round.
    """

    first_ms: dict[int, list[float]] = field(default_factory=dict)
    a_second: list[float] = field(default_factory=list)


def body(model: str = MODEL, question: str = "hello", **more: object) -> dict[str, object]:
    """A streamed chat completion."""
    return {"model": model, "messages": [{"role": "user", "content": question}], "stream": True, **more}


class Stage:
    """The processes of the benchmark, each on the cores that it may have, until the block ends."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._folder = Path()

    def __enter__(self) -> Stage:
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def process(self, command: Sequence[str], cores: set[int], **options: Any) -> subprocess.Popen[Any]:
        """Start a program on some cores."""
        log = self._stack.enter_context((self._folder / f"{len(list(self._folder.iterdir()))}.log").open("wb"))
        keep = running(command, output=log, preexec_fn=lambda: os.sched_setaffinity(0, cores), **options)
        return self._stack.enter_context(keep)

    def model_server(self, first_ms: float, between_ms: float, text: str) -> tuple[int, subprocess.Popen[Any]]:
        """Start a scripted model; its port and process."""
        port = free_port()
        words = [str(SCRIPTS / "scripted_model.py"), str(port), str(first_ms), str(between_ms), text]
        child = self.process([sys.executable, *words], OTHERS)
        wait_until_ready(port, child, path="/")
        return port, child

    def relay(self, model_port: int) -> int:
        """Start the bare relay; its port."""
        port = free_port()
        url = f"http://127.0.0.1:{model_port}/v1/chat/completions"
        child = self.process([sys.executable, str(SCRIPTS / "bare_relay.py"), str(port), url], GATEWAYS)
        wait_until_ready(port, child)
        return port

    def litellm(self, model_port: int) -> int:
        """Start LiteLLM's proxy; its port.

        Raises:
            Absent: If it can't be installed.
            Undrivable: If it does not come up.
        """
        make(LITELLM)
        served = {"model": f"openai/{MODEL}", "api_base": f"http://127.0.0.1:{model_port}/v1", "api_key": "x"}
        config = self._folder / "litellm.yaml"
        settings = {"telemetry": False, "set_verbose": False, "num_retries": 0}
        config.write_text(
            yaml.safe_dump(
                {"model_list": [{"model_name": MODEL, "litellm_params": served}], "litellm_settings": settings}
            )
        )
        port = free_port()
        program = str(python_of(LITELLM).with_name("litellm"))
        words = ["--config", str(config), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
        environ = {**os.environ, **LITELLM_ENVIRON}
        child = self.process([program, *words, "--telemetry", "False"], GATEWAYS, env=environ)
        wait_until_ready(port, child, path="/health/liveliness")
        return port

    def ragstead(self, model_port: int, **answer: object) -> tuple[int, Path]:
        """Start our gateway before a model; its port, and its data directory with one document."""
        data = self._folder / f"data-{model_port}-{len(answer)}"
        source = self._folder / "tide.txt"
        source.write_text(DOCUMENT)
        cli("ingest", str(source), data_dir=data)
        generation = {"models": {MODEL: {"base_url": f"http://127.0.0.1:{model_port}/v1", "connect_s": 1.0}}}
        cache = {"ttl_s": 3600 if answer.pop("cached", False) else 0}
        pipeline = {"answer": answer}
        config = self._folder / f"{data.name}.yaml"
        deployment = {"generation": generation, "answer_cache": cache}
        config.write_text(yaml.safe_dump({"pipeline": pipeline, "deployment": deployment}))
        port = free_port()
        words = ["serve", "gateway", "--port", str(port), "--data-dir", str(data), "--config", str(config)]
        child = self.process([str(RAGSTEAD), *words], GATEWAYS)
        wait_until_ready(port, child)
        return port, data

    def passing(self, model_port: int, guard: str) -> tuple[int, subprocess.Popen[Any]]:
        """Start our gateway before a bare model that is guarded in one way; its port and process."""
        generation = {
            "models": {MODEL: {"base_url": f"http://127.0.0.1:{model_port}/v1", "connect_s": 1.0}},
            "bare_models": {"guard": guard},
        }
        config = self._folder / f"passing-{guard}.yaml"
        config.write_text(yaml.safe_dump({"deployment": {"generation": generation}}))
        port, data = free_port(), self._folder / f"passing-{guard}"
        words = ["serve", "gateway", "--port", str(port), "--data-dir", str(data), "--config", str(config)]
        child = self.process([str(RAGSTEAD), *words], GATEWAYS)
        wait_until_ready(port, child)
        return port, child


def drive(
    port: int, asked: Mapping[str, object], *, clients: int, seconds: float, mark: bytes | None = None
) -> Streamed:
    """Load one server from this process."""
    found = asyncio.run(streams(port, asked, clients=clients, seconds=seconds, mark=mark))
    if found.refused:
        note(f"port {port} refused {found.refused} and answered {len(found.whole_ms)}")
    return found


# --- what is measured -----------------------------------------------------------------------------


def first_words(stage: Stage) -> list[Row]:
    """What the gateway adds to the time to the first words of a bare model."""
    model, _ = stage.model_server(FIRST_MS, BETWEEN_MS, WORDS)
    ours, _ = stage.ragstead(model)
    drive(ours, body(), clients=4, seconds=2)
    rows = []
    for clients, most_ms in ((1, 3), (64, 15)):
        times: dict[int, list[float]] = {model: [], ours: []}
        for _ in range(ROUNDS):
            for port in times:
                times[port] += drive(port, body(), clients=clients, seconds=LOAD_S).first_ms
        bare, through = (statistics.median(times[port]) for port in (model, ours))
        what = f"gateway, bare model, first token added, p50, {clients} stream{'s' if clients > 1 else ''}"
        figure = f"{through - bare:.1f} ms ({bare:.1f} ms without)"
        rows.append(Row(what, figure, f"{most_ms} ms", through - bare <= most_ms))
    return rows


def first_sentence(stage: Stage) -> list[Row]:
    """What the pipeline takes more than the model itself to the end of the first sentence, which it has verified."""
    model, _ = stage.model_server(FIRST_MS, BETWEEN_MS, ANSWER)
    ours, _ = stage.ragstead(model, generator=MODEL)
    asked = {model: body(), ours: body("ragstead", QUESTION)}
    drive(ours, asked[ours], clients=1, seconds=2)
    times: dict[int, list[float]] = {model: [], ours: []}
    for _ in range(ROUNDS):
        for port in times:
            times[port] += drive(port, asked[port], clients=1, seconds=LOAD_S, mark=b"[1].").first_ms
    bare, through = (statistics.median(times[port]) for port in (model, ours))
    figure = f"{through - bare:.1f} ms ({bare:.1f} ms by the model itself)"
    return [Row("gateway, first verified sentence, added, p50", figure, "40 ms", through - bare <= 40)]


def requests_a_second(stage: Stage) -> list[Row]:
    """Streams a second of a bare model, against LiteLLM's proxy and the least that passes a stream on."""
    model, _ = stage.model_server(0, 0, WORDS)
    ours, relay = stage.ragstead(model)[0], stage.relay(model)
    servers = {"ours": ours, "relay": relay}
    try:
        servers[LITELLM] = stage.litellm(model)
    except (Absent, Undrivable) as error:
        note(f"LiteLLM is absent: {error}")
    rates: dict[str, list[float]] = {name: [] for name in servers}
    for port in servers.values():
        drive(port, body(), clients=8, seconds=2)
    for turn in range(ROUNDS):
        for name in [*servers][turn:] + [*servers][:turn]:
            found = drive(servers[name], body(), clients=LOAD_CLIENTS, seconds=LOAD_S)
            if name == "ours" and found.refused:
                raise Undrivable(f"our gateway refused {found.refused} streams")
            rates[name].append(found.a_second)
            note(f"{name}: {rates[name][-1]:.0f} a second")
    return [
        row
        for name, least in ((LITELLM, 4.0), ("relay", 0.6))
        if name in rates
        for row in [against(rates, name, least)]
    ]


def against(rates: Mapping[str, Sequence[float]], name: str, least: float) -> Row:
    """Our streams a second over another's: the median of the rounds."""
    ratio = statistics.median(a / b for a, b in zip(rates["ours"], rates[name], strict=True))
    peer = f"LiteLLM {version_in(LITELLM, LITELLM)}" if name == LITELLM else "bare Starlette relay"
    figure = f"{ratio:.2f} times ({statistics.median(rates['ours']):.0f} and {statistics.median(rates[name]):.0f})"
    return Row(f"gateway, streams a second of a bare model, against {peer}", figure, f"{least:g} times", ratio >= least)


def guarded_streams(stage: Stage) -> list[Row]:
    """What guarding takes of a core for a stream of a bare model, each request with the same words, in turns."""
    model, _ = stage.model_server(0, 0, WORDS)
    servers = {guard: stage.passing(model, guard) for guard in ("off", "both")}
    spent_us: dict[str, list[float]] = {guard: [] for guard in servers}
    for port, _ in servers.values():
        drive(port, body(), clients=8, seconds=1)
    for _ in range(2 * ROUNDS):
        for guard, (port, child) in servers.items():
            before = cpu_seconds(child.pid)
            found = drive(port, body(), clients=16, seconds=LOAD_S / 2)
            spent_us[guard].append(1e6 * (cpu_seconds(child.pid) - before) / len(found.whole_ms))
    ratio = statistics.median(a / b for a, b in zip(spent_us["both"], spent_us["off"], strict=True))
    guarded, bare = (statistics.median(spent_us[guard]) for guard in ("both", "off"))
    what = "gateway, CPU time a stream of a bare model, guarded against not"
    return [Row(what, f"{ratio:.2f} times ({guarded:.0f} and {bare:.0f} µs)", "1.2 times", ratio <= 1.2)]


def cpu_seconds(pid: int) -> float:
    """Seconds of a core that a process has had."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def kept_answer(stage: Stage) -> list[Row]:
    """An answer that is kept."""
    model, _ = stage.model_server(FIRST_MS, BETWEEN_MS, ANSWER)
    ours, _ = stage.ragstead(model, generator=MODEL, cached=True)
    drive(ours, body("ragstead", QUESTION), clients=1, seconds=1)
    found = drive(ours, body("ragstead", QUESTION), clients=1, seconds=LOAD_S)
    ms = statistics.median(found.whole_ms)
    return [Row("gateway, an answer that is kept, p50", f"{ms:.1f} ms", "3 ms", ms <= 3)]


def every_model_down(stage: Stage) -> list[Row]:
    """Answers once the only model was killed and its breaker has opened."""
    model, child = stage.model_server(FIRST_MS, BETWEEN_MS, ANSWER)
    ours, _ = stage.ragstead(model, generator=MODEL)
    drive(ours, body("ragstead", QUESTION), clients=1, seconds=1)
    child.kill()
    child.wait()
    took: list[float] = []
    for _ in range(20):
        began = time.perf_counter()
        answer = asyncio.run(whole(ours, QUESTION))
        if "was down a moment ago" in answer["rag"]["route"]:
            if answer["rag"]["refused"] or answer["rag"]["model"] != "extractive":
                raise Undrivable(f"with the model down the answer was {answer}")
            took.append(time.perf_counter() - began)
    if not took:
        raise Undrivable("the breaker did not open")
    figure = f"{max(took) * 1000:.0f} ms at most (of {len(took)})"
    return [Row("gateway, every model down, an answer after the breaker opened", figure, "1 s", max(took) <= 1)]


async def whole(port: int, question: str) -> dict[str, Any]:
    """An answer that is not streamed."""
    asked = {"model": "ragstead", "messages": [{"role": "user", "content": question}]}
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request_of(asked, "connection: close"))
    received = await reader.read()
    writer.close()
    answer: dict[str, Any] = json.loads(received.partition(b"\r\n\r\n")[2])
    return answer


PARTS = (first_words, first_sentence, requests_a_second, guarded_streams, kept_answer, every_model_down)


def main() -> None:
    """Prints the rows."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    if (os.cpu_count() or 1) < 2 or not hasattr(os, "sched_setaffinity"):
        note("not run: it needs Linux and two cores")
        report([])
        return
    os.sched_setaffinity(0, OTHERS)
    rows = []
    for part in PARTS:
        with Stage() as stage:
            rows += part(stage)
        note("\n  ".join(f"{row.what}: {row.figure}" for row in rows[-2:]))
    report(rows)


if __name__ == "__main__":
    main()
