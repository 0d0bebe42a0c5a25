"""A program that tests kill: it opens a platform on a data directory and does what its words say, in order.

ingest_child.py DATA_DIR [put FOLDER | delete ID | settle | snapshot FILE] ...
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from ragstead.bootstrap.platform import Platform, open_platform
from ragstead.model import State
from ragstead.pipelines.ingest import Submission
from ragstead.pipelines.retrieve import SearchRequest
from ragstead.settings import load_settings

QUERIES = ("rosemary harvest", "how long does lot 17 ripen", "which valley has the oldest press", "bottles")


def read(folder: Path) -> list[tuple[Path, bytes]]:
    return [(path, path.read_bytes()) for path in sorted(folder.iterdir())]


def blobs(data_dir: Path) -> list[str]:
    return sorted(path.name for path in (data_dir / "blobs").rglob("*") if path.is_file())


def write(file: Path, state: dict[str, object]) -> None:
    file.write_text(json.dumps(state), "utf-8")


async def put(platform: Platform, folder: Path) -> None:
    for path, data in read(folder):
        document = Submission(path.name, path.name, data, {"size": float(len(data))})
        await platform.ingestor.submit("default", [document])


async def snapshot(platform: Platform) -> dict[str, object]:
    collection = await platform.collections.find("default")
    documents = await platform.documents.list(collection.collection_id, limit=10_000)
    index = await platform.indexes.open(collection.index_name)
    keys = [(await side.keys()).tolist() for side in index.contents]
    live = platform.live_chunks
    chunks = await live.fetch(collection.collection_id, keys[0], None)
    hits = {q: (await platform.retriever.search(SearchRequest(q))).hits for q in QUERIES}
    return {
        "documents": [[d.document_id, d.state, d.chunks, dict(d.attributes)] for d in documents],
        "vector_keys": keys[0],
        "bm25_keys": keys[1],
        "chunks": {c.chunk_id: [c.chunk.start, c.chunk.end, c.chunk.text] for c in chunks.values()},
        "hits": {q: [[h.stored.chunk_id, h.cosine] for h in found] for q, found in hits.items()},
        "blobs": blobs(platform.settings.deployment.data_dir),
    }


async def run(data_dir: Path, words: list[str]) -> None:
    async with open_platform(load_settings(None, data_dir=data_dir)) as platform:
        sys.stdout.write("open\n")
        sys.stdout.flush()
        while words:
            verb = words.pop(0)
            if verb == "put":
                await put(platform, Path(words.pop(0)))
            elif verb == "delete":
                await platform.ingestor.delete("default", words.pop(0))
            elif verb == "settle":
                found = await platform.ingestor.settle("default")
                assert not found.counts.get(State.FAILED), found.counts
            else:
                write(Path(words.pop(0)), await snapshot(platform))


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), sys.argv[2:]))
