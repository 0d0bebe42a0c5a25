"""Times the default embedder alone over a corpus, its loading left out; `ingestion` runs it in a process of its own."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from evals.bench.product import rows_of
from ragstead.bootstrap.embedding import serve_embedding
from ragstead.settings import DeploymentSettings, EmbeddingServiceSettings, Settings


async def seconds_for(texts: list[str]) -> float:
    """Seconds for the vectors of all texts, after the model has been warmed up; nothing is cached."""
    settings = Settings(deployment=DeploymentSettings(embedding=EmbeddingServiceSettings(cache_bytes=0)))
    async with serve_embedding(settings) as opened:
        began = time.perf_counter()
        vectors = await opened.embedding.pipeline.embed(texts, "passage")
        took = time.perf_counter() - began
    if vectors.shape != (len(texts), opened.embedding.pipeline.dim):
        raise SystemExit(f"{len(texts)} texts became vectors of shape {vectors.shape}")
    return took


if __name__ == "__main__":
    wanted = [f"{row['title']}\n{row['text']}" for row in rows_of(Path(sys.argv[1]))]
    print(json.dumps({"seconds": asyncio.run(seconds_for(wanted)), "texts": len(wanted)}))
