"""The embedded platform: real SQLite, Milvus Lite, tantivy and ONNX model behind its pipelines."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ragstead.bootstrap.embedding import serve_embedding
from ragstead.bootstrap.platform import Platform, open_platform
from ragstead.errors import ConfigurationError, IndexMismatch, InvalidRequest, NotFound, StoreInUse
from ragstead.filters import parse_filter
from ragstead.model import Answer, Reason, State, Strategy
from ragstead.pipelines.asking import AskRequest
from ragstead.pipelines.ingest import Submission
from ragstead.pipelines.retrieve import SearchRequest
from ragstead.ports.generator import Sampling
from ragstead.settings import (
    DeploymentSettings,
    EmbedderSettings,
    EmbeddingServiceSettings,
    PipelineSettings,
    Settings,
    load_settings,
)

LEAVE = "# Leave\n\nEvery employee of Tarnfell has 27 days of annual leave. Unused days lapse on 31 March.\n"
PRESS = "# Press\n\nThe oldest cider press stands in the Orrin valley and was built in 1821 by Mairi Kell.\n"
SAFETY = "# Safety\n\nReport every spill of coolant to the shift lead within 15 minutes.\n"


def run(data_dir: Path, scenario: Callable[[Platform], Awaitable[None]]) -> None:
    async def opened() -> None:
        async with open_platform(load_settings(None, data_dir=data_dir)) as platform:
            await scenario(platform)

    asyncio.run(opened())


def text(document_id: str, content: str, **attributes: str | float | bool) -> Submission:
    return Submission(document_id, f"{document_id}.md", content.encode(), attributes)


async def put(platform: Platform, *documents: Submission) -> list[str]:
    outcomes = await platform.ingestor.submit("default", documents)
    await platform.ingestor.settle("default")
    return [one.outcome for one in outcomes]


async def found(platform: Platform, query: str, **more: object) -> list[str]:
    result = await platform.retriever.search(SearchRequest(query, **more))  # type: ignore[arg-type]
    return [hit.stored.document_id for hit in result.hits]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "store"


def test_documents_become_visible_change_and_go(data_dir: Path) -> None:
    async def scenario(platform: Platform) -> None:
        assert await put(platform, text("leave", LEAVE), text("press", PRESS), text("safety", SAFETY)) == ["queued"] * 3
        assert await put(platform, text("leave", LEAVE)) == ["unchanged"]
        assert (await found(platform, "how many days of leave"))[0] == "leave"
        before = await platform.documents.find("default", "leave")
        assert await put(platform, text("leave", LEAVE.replace("27", "31"))) == ["queued"]
        after = await platform.documents.find("default", "leave")
        assert (after.file_id, after.state) == (before.file_id, State.INDEXED)
        assert "31 days" in await platform.documents.text("default", "leave")
        hits = (await platform.retriever.search(SearchRequest("days of annual leave"))).hits
        assert [h.stored.chunk.text for h in hits if h.stored.document_id == "leave"] != []
        assert all("27 days" not in h.stored.chunk.text for h in hits)
        await platform.ingestor.delete("default", "leave")
        assert "leave" not in await found(platform, "days of annual leave")
        with pytest.raises(NotFound):
            await platform.documents.find("default", "leave")

    run(data_dir, scenario)


def test_a_delete_leaves_no_trace_in_any_store(data_dir: Path) -> None:
    async def scenario(platform: Platform) -> None:
        await put(platform, text("leave", LEAVE), text("press", PRESS, year=1821))
        await platform.ingestor.delete("default", "press")
        collection = await platform.ingestor.settle("default")
        index = await platform.indexes.open(collection.index_name)
        held = [len(await side.keys()) for side in index.contents]
        assert held == [1, 1]
        assert len([p for p in (data_dir / "blobs").rglob("*") if p.is_file()]) == 1
        assert [f.filename for f in await platform.files.list(limit=10)] == ["leave.md"]

    run(data_dir, scenario)
    for file in (data_dir / "metadata.db", data_dir / "metadata.db-wal"):
        assert not file.exists() or b"Mairi Kell" not in file.read_bytes()


def test_a_chunk_id_is_never_used_again(data_dir: Path) -> None:
    async def scenario(platform: Platform) -> None:
        seen = set()
        for _ in range(3):
            await put(platform, text("press", PRESS))
            (hit,) = (await platform.retriever.search(SearchRequest("cider press"))).hits
            assert hit.stored.chunk_id not in seen
            seen.add(hit.stored.chunk_id)
            await platform.ingestor.delete("default", "press")
            await platform.ingestor.settle("default")

    run(data_dir, scenario)


def test_same_bytes_under_two_ids_are_two_documents(data_dir: Path) -> None:
    async def scenario(platform: Platform) -> None:
        await put(platform, text("a", PRESS), text("b", PRESS))
        assert sorted(await found(platform, "cider press")) == ["a", "b"]
        await platform.ingestor.delete("default", "a")
        await platform.ingestor.settle("default")
        assert await found(platform, "cider press") == ["b"]
        document = await platform.documents.find("default", "b")
        assert platform.blobs.path((await platform.files.find(document.file_id)).sha256).read_bytes() == PRESS.encode()

    run(data_dir, scenario)


def test_an_unreadable_document_fails_with_its_reason_and_the_rest_go_on(data_dir: Path) -> None:
    async def scenario(platform: Platform) -> None:
        broken = Submission("broken.pdf", "broken.pdf", b"%PDF-1.7 and then nothing")
        empty = Submission("empty.txt", "empty.txt", b" \n ")
        await put(platform, broken, empty, text("press", PRESS))
        states = {d.document_id: (d.state, d.reason) for d in await platform.documents.list("default", limit=10)}
        assert states["press"] == (State.INDEXED, None)
        assert states["empty.txt"] == (State.EMPTY, None)
        assert states["broken.pdf"][0] is State.FAILED
        assert states["broken.pdf"][1]
        assert await put(platform, broken) == ["queued"]  # tried again

    run(data_dir, scenario)


def test_a_replacement_that_fails_leaves_the_old_version_to_be_found(data_dir: Path) -> None:
    async def scenario(platform: Platform) -> None:
        await put(platform, text("press", PRESS))
        await put(platform, Submission("press", "press.pdf", b"%PDF-1.7 and then nothing"))
        assert (await platform.documents.find("default", "press")).state is State.FAILED
        assert await found(platform, "cider press") == ["press"]

    run(data_dir, scenario)


@pytest.mark.parametrize("strategy", list(Strategy))
def test_filters_restrict_every_strategy(strategy: Strategy, data_dir: Path) -> None:
    async def scenario(platform: Platform) -> None:
        years = [
            text(f"d{year}", PRESS.replace("1821", str(year)), year=year, odd=bool(year % 2))
            for year in range(1800, 1840)
        ]
        await put(platform, *years, text("without", PRESS))
        few = parse_filter({"type": "gte", "key": "year", "value": 1837})
        assert sorted(await found(platform, "cider press", strategy=strategy, filter=few, k=50)) == [
            "d1837",
            "d1838",
            "d1839",
        ]
        most = parse_filter({"type": "ne", "key": "year", "value": 1810})
        got = await found(platform, "cider press", strategy=strategy, filter=most, k=50)
        assert len(got) == 39
        assert not {"d1810", "without"} & set(got)
        none = parse_filter({"type": "eq", "key": "year", "value": "1810"})
        assert await found(platform, "cider press", strategy=strategy, filter=none) == []

    run(data_dir, scenario)


def test_scores_are_probabilities_that_never_rise_and_agree_between_strategies(data_dir: Path) -> None:
    async def scenario(platform: Platform) -> None:
        await put(platform, text("leave", LEAVE), text("press", PRESS), text("safety", SAFETY))
        best = {}
        for strategy in Strategy:
            hits = (
                await platform.retriever.search(SearchRequest("who built the oldest cider press", strategy=strategy))
            ).hits
            scores = [hit.score for hit in hits]
            assert scores == sorted(scores, reverse=True)
            assert all(0 <= score <= 1 for score in scores)
            best[strategy] = (hits[0].stored.document_id, round(hits[0].score, 6))
        assert len(set(best.values())) == 1

    run(data_dir, scenario)


def test_answers_quote_their_evidence_and_refuse_without(data_dir: Path) -> None:
    async def scenario(platform: Platform) -> None:
        await put(platform, text("leave", LEAVE), text("press", PRESS), text("safety", SAFETY))
        answer = await platform.answerer.answer(AskRequest("Who built the oldest cider press?"))
        assert not answer.refused
        assert "Mairi Kell" in answer.content
        assert answer.citations
        for citation in answer.citations:
            body = await platform.documents.text("default", citation.stored.document_id)
            assert body[citation.quote_start : citation.quote_end] == citation.quote
            assert answer.content[citation.mark :].startswith(f"[{citation.n}]")
        refusal = await platform.answerer.answer(AskRequest("What is the boiling point of tungsten hexafluoride?"))
        assert refusal.refused
        assert refusal.reason in (Reason.LOW_SUPPORT, Reason.NO_EVIDENCE)
        assert refusal.citations == ()
        assert "tungsten" in refusal.content

    run(data_dir, scenario)


def test_stream_and_answer_are_the_same(data_dir: Path) -> None:
    async def scenario(platform: Platform) -> None:
        await put(platform, text("leave", LEAVE), text("press", PRESS))
        request = AskRequest("When do unused days of leave lapse?")
        pieces = [piece async for piece in platform.answerer.stream(request)]
        last = pieces.pop()
        assert isinstance(last, Answer)
        assert "".join(str(piece) for piece in pieces) == last.content
        unstreamed = await platform.answerer.answer(request)
        assert (unstreamed.content, unstreamed.citations) == (last.content, last.citations)

    run(data_dir, scenario)


def test_max_tokens_and_stop_cut_the_answer_and_its_quotes_still_stand(data_dir: Path) -> None:
    async def scenario(platform: Platform) -> None:
        await put(platform, text("press", PRESS))
        ask = "Where does the oldest cider press stand?"
        short = await platform.answerer.answer(AskRequest(ask, sampling=Sampling(max_tokens=7)))
        assert short.finish_reason == "length"
        assert 0 < short.receipt.completion_tokens <= 7
        stopped = await platform.answerer.answer(AskRequest(ask, sampling=Sampling(stop=(" and was",))))
        assert "built" not in stopped.content
        body = await platform.documents.text("default", "press")
        for answer in (short, stopped):
            assert all(body[c.quote_start : c.quote_end] == c.quote for c in answer.citations)

    run(data_dir, scenario)


def test_an_index_of_another_embedder_is_refused(data_dir: Path) -> None:
    async def scenario(platform: Platform) -> None:
        await put(platform, text("press", PRESS))

    run(data_dir, scenario)

    async def other() -> None:
        base = load_settings(None, data_dir=data_dir)
        pipeline = PipelineSettings(embedder=EmbedderSettings(runtime="onnx-fp32"))
        async with open_platform(Settings(pipeline=pipeline, deployment=base.deployment)) as platform:
            with pytest.raises(IndexMismatch, match="int8"):
                await platform.retriever.search(SearchRequest("press"))
            await platform.ingestor.submit("default", [text("leave", LEAVE)])
            await platform.ingestor.settle("default")
            assert (await platform.documents.find("default", "leave")).state is State.FAILED

    asyncio.run(other())


def test_a_second_platform_on_the_directory_is_refused(data_dir: Path) -> None:
    async def scenario(_: Platform) -> None:
        with pytest.raises(StoreInUse):
            async with open_platform(load_settings(None, data_dir=data_dir)):
                pass

    run(data_dir, scenario)


@pytest.mark.parametrize("lost", ["bm25", "vectors.db"])
def test_an_index_that_was_lost_in_a_crash_is_rebuilt(lost: str, data_dir: Path) -> None:
    async def scenario(platform: Platform) -> None:
        await put(platform, text("leave", LEAVE), text("press", PRESS))

    run(data_dir, scenario)
    target = data_dir / lost
    shutil.rmtree(target) if target.is_dir() else target.unlink()
    (data_dir / "running").touch()  # as a killed process leaves it

    async def again(platform: Platform) -> None:
        collection = await platform.ingestor.settle("default")
        index = await platform.indexes.open(collection.index_name)
        async with asyncio.timeout(30):
            while [len(await side.keys()) for side in index.contents] != [2, 2]:  # noqa: ASYNC110  (seen from outside)
                await asyncio.sleep(0.02)
        assert await found(platform, "cider press") == ["press", "leave"]

    run(data_dir, again)


def test_a_deleted_collection_frees_its_name_at_once(data_dir: Path) -> None:
    async def scenario(platform: Platform) -> None:
        await put(platform, text("press", PRESS))
        await platform.ingestor.delete_collection("default")
        with pytest.raises(NotFound):
            await platform.retriever.search(SearchRequest("press"))
        await put(platform, text("leave", LEAVE))
        assert await found(platform, "cider press in the Orrin valley") == ["leave"]

    run(data_dir, scenario)


@asynccontextmanager
async def filled(data_dir: Path) -> AsyncIterator[Platform]:
    async with open_platform(load_settings(None, data_dir=data_dir)) as platform:
        await put(platform, text("leave", LEAVE), text("press", PRESS), text("safety", SAFETY))
        yield platform


def test_any_text_is_a_query(data_dir: Path) -> None:
    with asyncio.Runner() as runner:
        context = filled(data_dir)
        platform = runner.run(context.__aenter__())

        @settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(query=st.text(max_size=300), strategy=st.sampled_from(list(Strategy)))
        @example(query="the of and to", strategy=Strategy.HYBRID)
        @example(query="the of and to", strategy=Strategy.LEXICAL)
        @example(query="\U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467" * 50, strategy=Strategy.HYBRID)
        @example(query='terms:a AND (b OR "c d"~2) -e^3 [x TO y] \\', strategy=Strategy.PREFILTER)
        @example(query="word " * 20_000, strategy=Strategy.HYBRID)
        @example(query="\x00\ud800", strategy=Strategy.HYBRID)
        @example(query="年次休暇は何日ですか", strategy=Strategy.HYBRID)
        def ask(query: str, strategy: Strategy) -> None:
            if not query.strip():
                with pytest.raises(InvalidRequest):
                    SearchRequest(query)
                return
            hits = runner.run(platform.retriever.search(SearchRequest(query, strategy=strategy))).hits
            assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
            answer = runner.run(platform.answerer.answer(AskRequest(query, strategy=strategy)))
            assert answer.refused is not bool(answer.citations)

        ask()
        runner.run(context.__aexit__(None, None, None))


def test_alias_of_a_model_that_nobody_knows_is_refused(data_dir: Path) -> None:
    embedding = EmbeddingServiceSettings(aliases={"text-embedding-3-large": "bge-huge"})
    settings = Settings(deployment=DeploymentSettings(data_dir=data_dir, embedding=embedding))

    async def opened() -> None:
        async with open_platform(settings):
            pass

    with pytest.raises(ConfigurationError, match=r"'text-embedding-3-large' stands for 'bge-huge'"):
        asyncio.run(opened())


def test_embedding_model_alone_gives_the_vectors_of_the_platform(data_dir: Path) -> None:
    async def check() -> None:
        settings = load_settings(None, data_dir=data_dir)
        async with serve_embedding(settings) as service, open_platform(settings) as platform:
            (alone,) = await service.embedding.pipeline.embed(["The tide turns at noon."], "query")
            (within,) = await platform.embedding.pipeline.embed(["The tide turns at noon."], "query")
        assert (alone == within).all()
        assert service.embedding.aliases == {"text-embedding-ada-002", "text-embedding-3-small"}

    asyncio.run(check())
