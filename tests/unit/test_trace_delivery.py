"""Traces on their way: bounded, counted, tried again, and given up in time."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence

import pytest

from ragstead.adapters.tracing_process import ProcessTracer, TracingLimits
from ragstead.pipelines.trace_delivery import Delivery, DeliveryLimits
from ragstead.ports.trace_backend import WrittenScore, WrittenSpan, WrittenTrace
from ragstead.ports.tracer import BackendState, Kind, Score, Trace, TraceContext
from ragstead.testing.tracing import MemoryBackend
from ragstead.tracing import Writer, WritingRules, begin_trace, child_of, ended

QUICK = DeliveryLimits(waiting=10, interval_s=0.0)


def trace(n: int = 1, chars: int = 1) -> WrittenTrace:
    spans = [WrittenSpan(f"s{i}", "span", f"{i:016x}", "", 1, 2, "x" * chars) for i in range(n)]
    return WrittenTrace("a" * 32, "answer", "", "", "", {}, spans, {})


def score() -> WrittenScore:
    return WrittenScore("a" * 32, "feedback", 1, "s", 1)


class Slow(MemoryBackend):
    """Takes nothing before it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()
        self.batches: list[int] = []

    def keep(self, traces: Sequence[WrittenTrace]) -> None:
        self.go.wait(20)
        self.batches.append(len(traces))
        super().keep(traces)


def until(delivery: Delivery, condition: Callable[[BackendState], bool], within_s: float = 10) -> None:
    end = time.monotonic() + within_s
    while not condition(delivery.state):
        assert time.monotonic() < end, delivery.state
        time.sleep(0.005)


def test_what_is_offered_arrives_in_order_and_is_counted() -> None:
    backend = MemoryBackend()
    delivery = Delivery(backend, QUICK)
    delivery.offer(trace(3))
    delivery.offer(score())
    delivery.close(5)
    assert [len(one.spans) for one in backend.traces] == [3]
    assert len(backend.scores) == 1
    assert delivery.state == BackendState(spans=3, scores=1)
    assert backend.closed


def test_more_than_may_wait_is_dropped_and_counted_and_nobody_waits() -> None:
    backend = Slow()
    delivery = Delivery(backend, QUICK)
    delivery.offer(trace(2))
    time.sleep(0.1)  # it is being sent, and waits no more
    began = time.monotonic()
    for _ in range(8):
        delivery.offer(trace(2))
    delivery.offer(score())
    assert time.monotonic() - began < 1
    assert delivery.state.dropped == 6
    assert delivery.state.scores_failed == 1
    backend.go.set()
    delivery.close(5)
    assert delivery.state == BackendState(spans=12, dropped=6, scores_failed=1)


def test_backend_that_fails_is_tried_again_and_then_given_up() -> None:
    backend = MemoryBackend()
    backend.down = True
    delivery = Delivery(backend, QUICK, pauses_s=(0.01, 0.01))
    delivery.offer(trace(4))
    until(delivery, lambda state: state.failed == 4)
    assert delivery.state.trouble == "memory is down"
    backend.down = False
    delivery.offer(trace(2))
    until(delivery, lambda state: state.spans == 2)
    assert delivery.state.trouble == ""
    delivery.close(5)


def test_what_finds_no_room_says_nothing_of_whether_the_backend_is_up() -> None:
    backend = MemoryBackend()
    backend.down = True
    delivery = Delivery(backend, QUICK, pauses_s=(20,))
    delivery.offer(trace(4))
    until(delivery, lambda state: state.trouble == "memory is down")
    delivery.offer(trace(10))
    delivery.offer(trace(11))
    delivery.offer(score())
    assert delivery.state == BackendState(dropped=11, scores_failed=1, trouble="memory is down")
    delivery.close(5)


def test_short_trouble_loses_nothing() -> None:
    backend = MemoryBackend()
    backend.down = True
    delivery = Delivery(backend, QUICK, pauses_s=(0.2, 0.2, 0.2))
    delivery.offer(trace(4))
    until(delivery, lambda state: bool(state.trouble))
    backend.down = False
    until(delivery, lambda state: state.spans == 4)
    delivery.close(5)
    assert delivery.state.failed == 0


def test_batches_are_bounded_by_number_and_by_size() -> None:
    backend = Slow()
    delivery = Delivery(backend, DeliveryLimits(waiting=1000, batch=5, batch_chars=100, interval_s=0))
    delivery.offer(trace())
    time.sleep(0.1)
    for _ in range(7):
        delivery.offer(trace())
    for _ in range(3):
        delivery.offer(trace(chars=80))
    backend.go.set()
    until(delivery, lambda state: state.spans == 11)
    delivery.close(5)
    assert max(backend.batches) == 5
    assert len(backend.batches) >= 5


def test_end_is_bounded_and_what_is_left_is_counted() -> None:
    backend = Slow()
    delivery = Delivery(backend, QUICK)
    delivery.offer(trace(2))
    time.sleep(0.1)
    delivery.offer(trace(5))
    began = time.monotonic()
    delivery.close(0.2)
    assert time.monotonic() - began < 1
    assert delivery.state.dropped == 5
    backend.go.set()


# --- the process ------------------------------------------------------------------------------------

DEAF = (sys.executable, "-c", "import time; time.sleep(60)")
GONE = (sys.executable, "-c", "pass")


def finished(spans: int = 1) -> Trace:
    top = begin_trace(TraceContext(), "answer", Kind.CHAIN)
    for n in range(spans - 1):
        ended(child_of(top, f"s{n}"))
    ended(top).input = "x" * 5000
    return top.trace


def tracer(command: Sequence[str], **limits: float) -> ProcessTracer:
    given = TracingLimits(**{"waiting": 100, "interval_s": 0.01, "shutdown_s": 0.3, **limits})  # type: ignore[arg-type]
    return ProcessTracer({"langfuse": {}}, {}, Writer(WritingRules()), given, command)


@pytest.mark.parametrize("command", [DEAF, GONE, ("/no/such/program",)])
def test_process_that_does_nothing_costs_nothing_and_what_is_lost_is_counted(command: Sequence[str]) -> None:
    one = tracer(command)
    began = time.monotonic()
    for _ in range(300):
        one.record(finished(2))
    one.score(Score("a" * 32, "feedback", 1))
    assert time.monotonic() - began < 2
    deadline = time.monotonic() + 10
    while one.states()["langfuse"].dropped < 300 and time.monotonic() < deadline:
        time.sleep(0.01)
    began = time.monotonic()
    one.close()
    assert time.monotonic() - began < 3
    state = one.states()["langfuse"]
    assert state.spans == 0
    assert state.dropped >= 300
    assert one.score(Score("a" * 32, "feedback", 1)) is False


def test_tracer_that_was_given_nothing_starts_no_process_and_ends_at_once() -> None:
    one = tracer(("/no/such/program",))
    began = time.monotonic()
    one.close()
    assert time.monotonic() - began < 0.1


def test_sample_is_the_same_for_the_same_id_and_of_its_size() -> None:
    half = tracer(GONE, sample_rate=0.5)
    ids = [TraceContext().trace_id for _ in range(2000)]
    wanted = [half.samples(one) for one in ids]
    assert wanted == [tracer(GONE, sample_rate=0.5).samples(one) for one in ids]
    assert 0.45 < sum(wanted) / 2000 < 0.55
    assert all(map(tracer(GONE).samples, ids))
    assert not any(map(tracer(GONE, sample_rate=0).samples, ids))
