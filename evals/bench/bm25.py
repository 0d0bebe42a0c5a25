"""Measures the BM25 engine against the reference: query time at 100,000 passages, and agreement on SciFact.

Passages are windows of 60 words over all corpora of the data folder, shifted and cut again where there are too few.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from evals.bench.product import Row, data_folder, report
from ragstead.adapters.rank_bm25_index import RankBm25Index
from ragstead.adapters.tantivy_index import TantivyIndex
from ragstead.analysis import analyse
from ragstead.model import EVERYTHING
from ragstead.testing.fakes import InlinePool

PASSAGES = 100_000
WINDOW_WORDS = 60
BATCH = 5_000

Index = TantivyIndex | RankBm25Index


def records(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def passages(data: Path, wanted: int) -> list[str]:
    corpora = sorted(data.glob("*/corpus.jsonl"))
    texts = [record["text"].split() for path in corpora for record in records(path)]
    found: list[str] = []
    for shift in range(0, WINDOW_WORDS, 7):
        for words in texts:
            starts = range(shift, len(words), WINDOW_WORDS)
            found += (" ".join(words[start : start + WINDOW_WORDS]) for start in starts)
        if len(found) >= wanted:
            break
    return found[:wanted]


async def fill(index: Index, texts: list[str]) -> float:
    """Return the seconds it took, without the analysis."""
    analysed = [analyse(text) for text in texts]
    started = time.perf_counter()
    for start in range(0, len(texts), BATCH):
        stop = min(start + BATCH, len(texts))
        await index.add(range(start, stop), analysed[start:stop])
    return time.perf_counter() - started


async def median_query_ms(index: Index, queries: list[list[str]]) -> float:
    await index.search(queries[0], 100, EVERYTHING)
    times = []
    for query in queries:
        started = time.perf_counter()
        await index.search(query, 100, EVERYTHING)
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times)


async def measure_speed(data: Path, folder: Path, n: int) -> dict[str, float]:
    texts = passages(data, n)
    queries = [analyse(q["text"]) for q in itertools.islice(records(data / "scifact" / "queries.jsonl"), 200)]
    engine, reference = (
        TantivyIndex(folder / "engine", InlinePool()),
        RankBm25Index(folder / "r", InlinePool()),
    )
    engine_s = await fill(engine, texts)
    reference_texts = [analyse(text) for text in texts]
    await reference.add(range(len(texts)), reference_texts)
    engine_ms = await median_query_ms(engine, queries)
    reference_ms = await median_query_ms(reference, queries[:10])
    await engine.close()
    return {
        "passages": len(texts),
        "tantivy_index_s": round(engine_s, 2),
        "tantivy_query_ms": round(engine_ms, 3),
        "rank_bm25_query_ms": round(reference_ms, 1),
        "speedup": round(reference_ms / engine_ms, 1),
    }


async def measure_overlap(data: Path, folder: Path) -> dict[str, float]:
    corpus = list(records(data / "scifact" / "corpus.jsonl"))
    texts = [f"{record.get('title', '')} {record['text']}" for record in corpus]
    engine, reference = (
        TantivyIndex(folder / "engine", InlinePool()),
        RankBm25Index(folder / "r", InlinePool()),
    )
    for index in (engine, reference):
        await fill(index, texts)
    shares = []
    for query in itertools.islice(records(data / "scifact" / "queries.jsonl"), 300):
        terms = analyse(query["text"])
        first, second = [set(await index.search(terms, 10, EVERYTHING)) for index in (engine, reference)]
        shares.append(len(first & second) / max(1, len(second)))
    await engine.close()
    return {"scifact_queries": len(shares), "overlap_at_10": round(statistics.mean(shares), 4)}


async def measure(data: Path, n: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as speed, tempfile.TemporaryDirectory() as overlap:
        return await measure_speed(data, Path(speed), n) | await measure_overlap(data, Path(overlap))


def main() -> None:
    """Prints the rows."""
    found = asyncio.run(measure(data_folder(__doc__), PASSAGES))
    speed = f"{found['speedup']:.0f} times as fast ({found['tantivy_query_ms']:.2f} ms)"
    report(
        [
            Row("BM25 query, 100,000 passages, against rank_bm25", speed, "100 times", found["speedup"] >= 100),
            Row(
                "BM25 top 10 shared with rank_bm25, scifact",
                f"{found['overlap_at_10']:.3f}",
                "0.9",
                found["overlap_at_10"] >= 0.9,
            ),
        ],
        **found,
    )


if __name__ == "__main__":
    main()
