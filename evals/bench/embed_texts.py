"""Times the default embedder alone over a corpus, its loading left out; `ingestion` runs it in a process of its own."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from evals.bench.product import rows_of
from ragstead.adapters.thread_pool import ThreadWorkPool
from ragstead.bootstrap.models import open_embedder
from ragstead.settings import Settings


async def seconds_for(texts: list[str]) -> float:
    """Seconds for the vectors of all texts, after one that warms the model up."""
    settings = Settings()
    pool = ThreadWorkPool(settings.deployment.threads + 1, max_waiting=4096)
    embedder = open_embedder(settings, pool)
    await embedder.embed(texts[:1], "passage")
    began = time.perf_counter()
    vectors = await embedder.embed(texts, "passage")
    took = time.perf_counter() - began
    pool.close()
    if vectors.shape != (len(texts), embedder.dim):
        raise SystemExit(f"{len(texts)} texts became vectors of shape {vectors.shape}")
    return took


if __name__ == "__main__":
    wanted = [f"{row['title']}\n{row['text']}" for row in rows_of(Path(sys.argv[1]))]
    print(json.dumps({"seconds": asyncio.run(seconds_for(wanted)), "texts": len(wanted)}))
