"""A Langfuse as its SDK sees it: takes spans over OTLP and scores, tells traces, can hang, fail, refuse and hang up."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from integration.langfuse_reading import Told, tell

TRACES, SCORES = "/api/public/otel/v1/traces", "/api/public/scores"
ROOTS = ("answer", "search", "completion")


@dataclass(frozen=True)
class ReceivedSpan:
    """A span as it arrived."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    began_ns: int
    ended_ns: int
    status: int
    message: str
    attributes: dict[str, Any]

    @property
    def kind(self) -> str:
        return str(self.attributes["langfuse.observation.type"])

    def output(self) -> Any:
        return json.loads(self.attributes["langfuse.observation.output"])


@dataclass
class Receiver:
    """What came, and how it is answered: `ok`, `hang`, `500`, `207`, `drop`.

    `told` is how questions for traces are answered: `v4` and `v3` as these versions of Langfuse do, `late` with
    nothing, as a server that has not taken in yet what was sent; `rubbish`, `none` (no Langfuse), a status, or `hang`.
    The next `late` of them are answered with nothing.
    """

    mode: str = "ok"
    told: str = "v4"
    page: int = 1000
    late: int = 0
    url: str = ""
    spans: list[ReceivedSpan] = field(default_factory=list)
    scores: list[dict[str, Any]] = field(default_factory=list)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def traces(self) -> dict[str, list[ReceivedSpan]]:
        out: dict[str, list[ReceivedSpan]] = {}
        for one in self.spans:
            out.setdefault(one.trace_id, []).append(one)
        return out

    def until(self, condition: Callable[[], bool], within_s: float = 60.0) -> None:
        """Wait for something to have come."""
        until = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < until, (self.requests, [one.name for one in self.spans])
            time.sleep(0.02)

    def trace(self, trace_id: str, within_s: float = 60.0) -> dict[str, ReceivedSpan]:
        """The spans of a trace by name, once its root is there."""
        self.until(lambda: any(one.name in ROOTS for one in self.traces().get(trace_id, [])), within_s)
        return {one.name: one for one in reversed(self.traces()[trace_id])}

    def takes_spans(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                for one in scope.spans:
                    self.spans.append(
                        ReceivedSpan(
                            one.trace_id.hex(),
                            one.span_id.hex(),
                            one.parent_span_id.hex(),
                            one.name,
                            one.start_time_unix_nano,
                            one.end_time_unix_nano,
                            one.status.code,
                            one.status.message,
                            {attribute.key: _value(attribute.value) for attribute in one.attributes},
                        )
                    )


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    return getattr(value, kind) if kind else None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        receiver, body = self.server.receiver, self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        receiver.bodies.append(body)
        receiver.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        if receiver.mode == "hang":
            receiver.over.wait(60)
        if receiver.mode in ("hang", "drop"):
            self.close_connection = True
            self.connection.close()
        elif receiver.mode == "500":
            self._answer(500, b'{"message": "no"}')
        else:
            self._take(receiver, body)

    def do_GET(self) -> None:
        receiver, url = self.server.receiver, urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        receiver.asked.append((url.path, query))
        if receiver.told == "hang":
            receiver.over.wait(60)
            self.close_connection = True
            self.connection.close()
            return
        late, receiver.late = receiver.late > 0, max(0, receiver.late - 1)
        told = Told("late" if late else receiver.told, receiver.page, self.headers.get("Authorization", ""))
        status, body, headers = tell(told, url.path, query, receiver.spans)
        self._answer(status, body, headers.pop("Content-Type", "application/json"), headers)

    def _take(self, receiver: Receiver, body: bytes) -> None:
        if self.path == TRACES:
            receiver.takes_spans(body)
            self._answer(200, b"", "application/x-protobuf")
        elif self.path == SCORES:
            self._judge(receiver, json.loads(body))
        else:
            self._answer(404, b"{}")

    def _judge(self, receiver: Receiver, scores: list[dict[str, Any]]) -> None:
        refused = 1 if receiver.mode == "207" else 0
        receiver.scores.extend(scores[refused:])
        if refused:
            errors = [{"index": 0, "status": 400, "message": "Invalid"}]
            told = {"accepted": len(scores) - 1, "rejected": 1, "errors": errors}
            self._answer(207, json.dumps(told).encode())
        else:
            self._answer(202, b'{"message": "Accepted"}')

    def _answer(
        self,
        status: int,
        body: bytes,
        media_type: str = "application/json",
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class's)
        pass


@contextmanager
def receiving(mode: str = "ok") -> Iterator[Receiver]:
    """Run a receiver on a free port of loopback until the block ends."""
    receiver = Receiver(mode)
    server = _Server(receiver)
    receiver.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield receiver
    finally:
        receiver.over.set()
        server.shutdown()
        thread.join(10)
        server.server_close()
