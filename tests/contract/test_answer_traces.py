"""The suite of traces read back over the fake, Langfuse's API in both versions, a real MLflow, and several at once."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest

from integration.langfuse_reading import KEYS
from integration.trace_receiver import Receiver, receiving
from mlflow_server import mlflow_server  # noqa: F401 (a fixture)
from ragstead.adapters import langfuse, mlflow_traces
from ragstead.adapters.langfuse_answer_traces import LangfuseAnswerTraces, LangfuseReader
from ragstead.adapters.mlflow.server import MlflowServer
from ragstead.adapters.mlflow_answer_traces import MlflowAnswerTraces
from ragstead.adapters.opentelemetry import OtlpEndpoint, OtlpSpans
from ragstead.errors import NotFound, Overloaded, Unavailable
from ragstead.pipelines.kept_traces import FirstThatKnows
from ragstead.ports.answer_traces import NO_ANSWER, AnswerTraces, TracedAnswer
from ragstead.ports.trace_backend import TraceBackend, WrittenTrace
from ragstead.testing.answer_traces import MemoryAnswerTraces
from ragstead.testing.contracts import AnswerTracesContract
from ragstead.testing.contracts.answer_traces import ANSWERED, BARE, REFUSED, UNKNOWN, written


def sent(kept: Sequence[TracedAnswer], backend: TraceBackend) -> None:
    """Send the traces as a platform does."""
    backend.keep([*map(written, kept), written(TracedAnswer(BARE, *_NOBODYS), bare=True)])
    backend.close()


_NOBODYS = ("?", "default", 1, "r-3f2a61c09b7e", "m", "!", False, None, 0.5)


def langfuse_backend(url: str) -> TraceBackend:
    # The SDK gives every client of one public key the first one's provider: a key of its own for each.
    project = langfuse.LangfuseProject(url, f"pk-{secrets.token_hex(8)}", KEYS[1], "default", 5)
    endpoint = OtlpEndpoint("langfuse", url + langfuse.TRACES_PATH, project.headers(), 5)
    return langfuse.LangfuseTraces(project, OtlpSpans(endpoint, partial(langfuse.span_attributes, "default")))


@asynccontextmanager
async def langfuse_reader(url: str, timeout_s: float = 10, keys: tuple[str, str] = KEYS) -> AsyncIterator[AnswerTraces]:
    traces = LangfuseAnswerTraces(LangfuseReader(url, *keys, timeout_s))
    try:
        yield traces
    finally:
        await traces.close()


class TestMemoryAnswerTraces(AnswerTracesContract):
    @asynccontextmanager
    async def opened(self, folder: Path, kept: Sequence[TracedAnswer]) -> AsyncIterator[AnswerTraces]:
        yield MemoryAnswerTraces(*kept, bare=[BARE])


class TestLangfuseAnswerTraces(AnswerTracesContract):
    version = "v4"
    page = 1000

    @asynccontextmanager
    async def opened(self, folder: Path, kept: Sequence[TracedAnswer]) -> AsyncIterator[AnswerTraces]:
        with receiving() as receiver:
            receiver.told, receiver.page = self.version, self.page
            await asyncio.to_thread(sent, kept, langfuse_backend(receiver.url))
            async with langfuse_reader(receiver.url) as traces:
                yield traces


class TestLangfuseAnswerTracesOneToAPage(TestLangfuseAnswerTraces):
    page = 1


class TestAnswerTracesOfAnOlderLangfuse(TestLangfuseAnswerTraces):
    version = "v3"


@pytest.mark.slow
class TestMlflowAnswerTraces(AnswerTracesContract):
    url: str

    @pytest.fixture(autouse=True)
    def _server(self, mlflow_server: MlflowServer) -> None:  # noqa: F811
        self.url = mlflow_server.url

    @asynccontextmanager
    async def opened(self, folder: Path, kept: Sequence[TracedAnswer]) -> AsyncIterator[AnswerTraces]:
        await asyncio.to_thread(sent, kept, mlflow_backend(self.url))
        traces = MlflowAnswerTraces(self.url, None, 30)
        yield traces
        await traces.close()


def mlflow_backend(url: str) -> TraceBackend:
    def spans(experiment_id: str) -> OtlpSpans:
        headers = {mlflow_traces.EXPERIMENT_HEADER: experiment_id}
        endpoint = OtlpEndpoint("mlflow", url + mlflow_traces.TRACES_PATH, headers, 30, far=False)
        made = OtlpSpans(endpoint, partial(mlflow_traces.span_attributes, "default"), own_roots=True)
        made.send_by_batches()
        return made

    return mlflow_traces.MlflowTraces(httpx.Client(base_url=url, timeout=30), spans, "read back")


class TestFirstThatKnows(AnswerTracesContract):
    @asynccontextmanager
    async def opened(self, folder: Path, kept: Sequence[TracedAnswer]) -> AsyncIterator[AnswerTraces]:
        half = len(kept) // 2
        yield FirstThatKnows([MemoryAnswerTraces(*kept[:half]), MemoryAnswerTraces(*kept[half:], bare=[BARE])])


class Down:
    """A store that can't say."""

    def __init__(self, trouble: Overloaded | Unavailable) -> None:
        self._trouble = trouble

    async def find(self, trace_id: str) -> TracedAnswer:
        raise self._trouble


DOWN = Unavailable("mlflow", "MLflow can't be reached")


def found(*stores: AnswerTraces, trace_id: str = ANSWERED.trace_id) -> TracedAnswer:
    return asyncio.run(FirstThatKnows(stores).find(trace_id))


def test_store_that_is_down_is_passed_over_where_another_has_the_trace() -> None:
    assert found(Down(DOWN), MemoryAnswerTraces(ANSWERED)) == ANSWERED
    assert found(Down(Overloaded("later")), MemoryAnswerTraces(ANSWERED)) == ANSWERED


def test_first_of_two_that_have_the_trace_is_heard() -> None:
    again = TracedAnswer(ANSWERED.trace_id, *_NOBODYS)
    assert found(MemoryAnswerTraces(ANSWERED), MemoryAnswerTraces(again)) == ANSWERED


def test_trace_that_may_be_in_a_store_that_is_down_is_not_called_missing() -> None:
    with pytest.raises(Unavailable, match="can't be reached"):
        found(MemoryAnswerTraces(REFUSED), Down(DOWN))


def test_store_that_has_the_trace_without_contents_says_why_though_another_is_down_or_lacks_it() -> None:
    bare = MemoryAnswerTraces(bare=[BARE])
    for stores in ([Down(DOWN), bare], [bare, MemoryAnswerTraces()], [MemoryAnswerTraces(), bare]):
        with pytest.raises(NotFound) as refusal:
            found(*stores, trace_id=BARE)
        assert refusal.value.kind == NO_ANSWER


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        sent([ANSWERED], langfuse_backend(receiver.url))
        yield receiver


def read(
    receiver: Receiver, trace_id: str = ANSWERED.trace_id, *, timeout_s: float = 10, keys: tuple[str, str] = KEYS
) -> TracedAnswer:
    async def run() -> TracedAnswer:
        async with langfuse_reader(receiver.url, timeout_s, keys) as traces:
            return await traces.find(trace_id)

    return asyncio.run(run())


def test_trace_that_langfuse_has_not_taken_in_yet_is_there_later(receiver: Receiver) -> None:
    receiver.told = "late"
    with pytest.raises(NotFound, match="some seconds after its answer"):
        read(receiver)
    receiver.told = "v3"
    with pytest.raises(NotFound, match="some seconds after its answer"):
        read(receiver, UNKNOWN)
    receiver.told = "v4"
    assert read(receiver) == ANSWERED


def test_all_pages_of_a_trace_are_asked_for_and_nothing_is_cut(receiver: Receiver) -> None:
    receiver.page = 1
    assert read(receiver) == ANSWERED
    queries = [query for _, query in receiver.asked]
    assert ["cursor" in one for one in queries] == [False, True]
    assert {one["traceId"] for one in queries} == {ANSWERED.trace_id}


def test_endless_pages_are_given_up() -> None:
    with receiving() as receiver:
        receiver.page = 1
        root = written(ANSWERED).spans[0]
        spans = [type(root)(f"s{n}", "span", f"{n + 1:016x}", "", root.began_ns + n, root.ended_ns) for n in range(40)]
        backend = langfuse_backend(receiver.url)
        backend.keep([WrittenTrace(UNKNOWN, "answer", "", "", "", {}, spans, {})])
        backend.close()
        with pytest.raises(Unavailable, match="more than 20 pages"):
            read(receiver, UNKNOWN)


def test_keys_that_langfuse_does_not_know_are_named_with_their_setting(receiver: Receiver) -> None:
    with pytest.raises(Unavailable, match=r"refuses the keys of deployment\.tracing\.langfuse: HTTP 401"):
        read(receiver, keys=("pk-lf-test", "sk-lf-other"))


def test_langfuse_that_asks_to_come_back_later_says_when(receiver: Receiver) -> None:
    receiver.told = "429"
    with pytest.raises(Overloaded) as trouble:
        read(receiver)
    assert trouble.value.retry_after_s == 7


@pytest.mark.parametrize(
    ("told", "words"),
    [("500", "HTTP 500"), ("503", "HTTP 503"), ("rubbish", "can't be read"), ("none", "can't be read")],
)
def test_langfuse_in_trouble_or_no_langfuse_is_unavailable(receiver: Receiver, told: str, words: str) -> None:
    receiver.told = told
    with pytest.raises(Unavailable, match=words):
        read(receiver)


def test_langfuse_that_hangs_is_waited_for_no_longer_than_the_settings_say(receiver: Receiver) -> None:
    receiver.told = "hang"
    with pytest.raises(Unavailable, match=r"can't be reached: \w*Timeout"):
        read(receiver, timeout_s=0.3)


def test_langfuse_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="can't be reached: ConnectError"):
        read(Receiver(url="http://127.0.0.1:9"))


@pytest.mark.filterwarnings("ignore::UserWarning")  # of the SDK's generated models
def test_receiver_tells_traces_in_the_form_that_the_sdk_reads(receiver: Receiver) -> None:
    from langfuse.api import LangfuseAPI  # noqa: PLC0415  (seconds)

    with httpx.Client() as http:
        sdk = LangfuseAPI(base_url=receiver.url, username=KEYS[0], password=KEYS[1], httpx_client=http)
        told = sdk.observations.get_many(
            trace_id=ANSWERED.trace_id, fields="basic,io,metadata,trace_context", limit=1000
        )
    assert {one.name: one.parent_observation_id is None for one in told.data} == {"answer": True, "retrieve": False}
    root = next(one for one in told.data if one.name == "answer")
    assert root.metadata is not None
    assert (root.metadata["collection"], root.release) == (ANSWERED.collection, ANSWERED.release)
    assert told.meta.cursor is None


def test_callers_labels_do_not_hide_what_is_known_of_an_answer() -> None:
    with receiving() as receiver:
        trace = written(ANSWERED)
        labels = {"collection": "another", "team": "people"}
        labelled = WrittenTrace(trace.trace_id, "answer", "", "", trace.release, labels, trace.spans, {})
        backend = langfuse_backend(receiver.url)
        backend.keep([labelled])
        backend.close()
        assert read(receiver) == ANSWERED
