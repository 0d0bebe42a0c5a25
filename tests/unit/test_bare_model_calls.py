"""Calls of bare models: what their traces say where nobody waited, and which id is put in the place of theirs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress

import pytest

from ragstead.pipelines.bare_models import BareModel, BareModelPlan
from ragstead.pipelines.replies import Renamed
from ragstead.ports.model_relay import Relayed
from ragstead.ports.tracer import Span, Trace, TraceContext
from ragstead.tracing import NoTracer

ASKED = {"model": "tiny", "messages": [{"role": "user", "content": "When?"}]}


class Kept(NoTracer):
    """Keeps traces."""

    def __init__(self) -> None:
        self.roots: list[Span] = []

    def samples(self, trace_id: str) -> bool:
        return True

    def record(self, trace: Trace) -> None:
        self.roots += [one for one in trace.spans if one.name == "completion"]


class Slow:
    """A model's server that says some words, and then nothing more."""

    name, capabilities = "tiny", dict[str, bool]()

    def __init__(self, media_type: str, *says: bytes) -> None:
        self._media_type, self._says = media_type, says
        self.silent, self.closed = asyncio.Event(), False

    async def send(self, body: Mapping[str, object]) -> Relayed:
        return Relayed(200, self._media_type, "", self._body())

    async def _body(self) -> AsyncIterator[bytes]:
        try:
            for one in self._says:
                yield one
            self.silent.set()
            await asyncio.Event().wait()
        finally:
            self.closed = True


@pytest.mark.parametrize("media_type", ["application/json", "text/event-stream"])
@pytest.mark.parametrize("says", [(), (b'data: {"choices": [{"delta": {"content": "At"}}]}\n\n',)])
def test_call_that_nobody_waited_for_is_told_as_cancelled_and_hangs_up(
    media_type: str, says: tuple[bytes, ...]
) -> None:
    async def scenario() -> tuple[Span, bool]:
        server, tracer = Slow(media_type, *says), Kept()
        relayed = await BareModel(server, BareModelPlan(tracer=tracer)).ask(ASKED, TraceContext())
        assert isinstance(relayed, Relayed)

        async def read() -> None:
            async for _ in relayed.body:
                pass

        reading = asyncio.create_task(read())
        await server.silent.wait()
        reading.cancel()
        with suppress(asyncio.CancelledError):
            await reading
        [root] = tracer.roots
        return root, server.closed

    root, closed = asyncio.run(scenario())
    assert root.error == "cancelled"
    assert closed


def test_id_of_a_stream_is_its_own_and_not_that_of_a_call_of_a_tool_before_it() -> None:
    call = {"index": 0, "id": "call_1", "function": {"name": "tide", "arguments": ""}}
    event = f"data: {json.dumps({'choices': [{'delta': {'tool_calls': [call]}}], 'id': 'chatcmpl-9'})}\n\n".encode()
    view = json.loads(Renamed("chatcmpl-ours").events(event)[6:])
    assert view["id"] == "chatcmpl-ours"
    assert view["choices"][0]["delta"]["tool_calls"][0]["id"] == "call_1"
