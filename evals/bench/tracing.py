"""Compares answers a second with tracing to Langfuse on, off, and on with a Langfuse that is dead.

Three gateways hold the same documents; short rounds of questions go to each in turn, so that what else the machine
does falls on all of them. Questions are either new each time, or the same again, whose answers are kept. The clients,
what takes the place of Langfuse, and the processes that send traces, run on the same cores. Under `details` stands the
CPU time that the gateways took, and with it their children: it says something on a machine with other work, too.
"""

from __future__ import annotations

import http.client
import http.server
import itertools
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from evals.bench.product import RAGSTEAD, ROOT, Row, Undrivable, cli, free_port, note, report, running, share_out
from evals.bench.product import wait_until_ready as ready

ROUNDS, MADE, KEPT = 39, 20, 120
CLIENTS = WARM_UP = 4
LEAST = 0.95
QUESTIONS = (
    "How many days of annual leave do I get?",
    "Who approves travel above the limit?",
    "What is the notice period?",
    "How do I report a security incident?",
    "When is payroll?",
    "What is the parental leave policy?",
)
KEYS = {"BENCH_PUBLIC_KEY": "pk-lf-bench", "BENCH_SECRET_KEY": "sk-lf-bench"}


class Sink(http.server.BaseHTTPRequestHandler):
    """Takes whatever Langfuse's SDK sends, and looks at none of it."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Say that it is there."""
        self._answer(200)

    def do_POST(self) -> None:
        """Take it."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(202 if self.path.endswith("/scores") else 200)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class's)
        """Say nothing."""

    def _answer(self, status: int) -> None:
        body = b'{"message": "Accepted"}'
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def ask(connection: http.client.HTTPConnection, question: str) -> None:
    """Ask one question.

    Raises:
        Undrivable: If it is not answered.
    """
    body = json.dumps({"model": "ragstead", "messages": [{"role": "user", "content": question}]})
    connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    answer = response.read()
    if response.status != 200:
        raise Undrivable(f"{question!r} was answered {response.status}: {answer[:300]!r}")


def per_second(port: int, questions: list[str]) -> float:
    """Answers a second."""

    def work(taken: Iterator[str]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for question in taken:
            ask(connection, question)

    return len(questions) / share_out(questions, CLIENTS, work)


@dataclass(frozen=True)
class Gateway:
    """A gateway's port and process."""

    port: int
    pid: int


def gateways(work: Path, stack: ExitStack) -> dict[str, Gateway]:
    """Start the receiver and the gateways."""
    cli("ingest", str(ROOT / "samples" / "handbook"), data_dir=work / "off")
    for name in ("on", "dead"):
        shutil.copytree(work / "off", work / name, ignore=shutil.ignore_patterns("*.sock"))
    sink, dead = free_port(), free_port()
    child = stack.enter_context(running([sys.executable, "-m", "evals.bench.tracing", str(sink)], cwd=ROOT))
    ready(sink, child, path="/")
    out = {}
    for name, langfuse in (("off", None), ("on", sink), ("dead", dead)):
        keys = {"public_key": "env:BENCH_PUBLIC_KEY", "secret_key": "env:BENCH_SECRET_KEY"}
        where = {"host": f"http://127.0.0.1:{langfuse}", **keys} if langfuse else None
        config = work / f"{name}.yaml"
        config.write_text(yaml.safe_dump({"deployment": {"tracing": {"langfuse": where}}}), "utf-8")
        port = free_port()
        words = ["serve", "gateway", "--port", str(port), "--config", str(config)]
        command = [str(RAGSTEAD), *words, "--data-dir", str(work / name)]
        child = stack.enter_context(running(command, env={**os.environ, **KEYS}))
        ready(port, child)
        out[name] = Gateway(port, child.pid)
    return out


@dataclass(frozen=True)
class Taken:
    """What the questions of a gateway took.

    Attributes:
        answers: How many were timed.
        seconds: From the first to the last of each round, all rounds together.
        cpu_s: CPU seconds of the gateway, answers that were not timed among them; 0 where the system does not say.
        children_cpu_s: The same of its children.
    """

    answers: int
    seconds: float
    cpu_s: float
    children_cpu_s: float


def measured(gateways: Mapping[str, Gateway], supply: Iterator[str], questions: int) -> dict[str, Taken]:
    """What each gateway took, in rounds that begin with another of them each time.

    None follows itself, and each is asked a little before it is timed: one that has just worked is faster by a tenth.
    """
    seconds = dict.fromkeys(gateways, 0.0)
    before = {name: cpu_s(one.pid) for name, one in gateways.items()}
    for turn in range(ROUNDS):
        first = turn % len(gateways)
        for name in [*list(gateways)[first:], *list(gateways)[:first]]:
            per_second(gateways[name].port, list(itertools.islice(supply, WARM_UP)))
            asked = list(itertools.islice(supply, questions))
            seconds[name] += len(asked) / per_second(gateways[name].port, asked)
    after = {name: cpu_s(one.pid) for name, one in gateways.items()}
    return {
        name: Taken(
            ROUNDS * questions, seconds[name], after[name][0] - before[name][0], after[name][1] - before[name][1]
        )
        for name in gateways
    }


def cpu_s(pid: int) -> tuple[float, float]:
    """CPU seconds of a process and of its children so far, as Linux counts them; 0 elsewhere."""
    tasks = Path(f"/proc/{pid}/task")
    if not tasks.is_dir():
        return 0.0, 0.0
    children = [int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split()]
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return own, sum(sum(cpu_s(child)) for child in children)


def wait_for_the_children(gateways: Mapping[str, Gateway]) -> None:
    """Wait until those that trace have sent, or tried to: what sends takes seconds to import, once.

    Raises:
        Undrivable: If one has done nothing for a minute.
    """
    until = time.monotonic() + 60
    while time.monotonic() < until:
        told = {name: sent(one.port) for name, one in gateways.items() if name != "off"}
        if told["on"].get("sent") and told["dead"].get("failed"):
            return
        time.sleep(0.5)
    raise Undrivable(f"nothing was sent: {told}")


def sent(port: int) -> dict[str, float]:
    """What a gateway's metrics say of its spans, by outcome."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    found = [line.rsplit(" ", 1) for line in lines if line.startswith("ragstead_trace_spans_total{")]
    return {name.split('outcome="')[1].split('"')[0]: float(value) for name, value in found}


def main() -> None:
    """Prints the rows."""
    new = (f"{question} (case {n})" for n, question in enumerate(itertools.cycle(QUESTIONS)))
    again = itertools.cycle(QUESTIONS)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        houses = gateways(Path(folder), stack)
        for one in houses.values():
            per_second(one.port, list(itertools.islice(new, 30)) + list(QUESTIONS))
        wait_for_the_children(houses)
        made = measured(houses, new, MADE)
        note(f"answers made: {made}")
        kept = measured(houses, again, KEPT)
        note(f"kept answers: {kept}")
        spans = {name: sent(one.port) for name, one in houses.items()}
    rows = []
    for what, taken in (("answers", made), ("kept answers", kept)):
        for name, words in (("on", "tracing to Langfuse on"), ("dead", "Langfuse dead")):
            ratio = taken["off"].seconds / taken[name].seconds
            rows.append(Row(f"{what} a second, {words} against off", f"{ratio:.3f}", f"{LEAST}", ratio >= LEAST))
    details = {
        what: {name: asdict(one) for name, one in taken.items()} for what, taken in (("made", made), ("kept", kept))
    }
    report(rows, spans=spans, **details)


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1].isdigit():
        http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Sink).serve_forever()
    main()
