"""The usual way to serve embeddings: sentence-transformers behind a plain FastAPI server, fp32, `encode` in a thread.

    python sentence_transformers_server.py FOLDER PORT

Started by `evals.bench.embeddings` in an environment that has torch; OpenAI's shape, as far as the benchmark needs it.
"""

from __future__ import annotations

import sys
from typing import Any

import torch
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from sentence_transformers import SentenceTransformer

model = SentenceTransformer(sys.argv[1], device="cpu", local_files_only=True)
app = FastAPI()


class Body(BaseModel):
    """OpenAI's request."""

    model: str
    input: str | list[str]
    encoding_format: str = "float"


@app.post("/v1/embeddings")
def embed(body: Body) -> dict[str, Any]:
    """Embed a batch, in one of FastAPI's threads."""
    texts = [body.input] if isinstance(body.input, str) else body.input
    vectors = model.encode(texts, batch_size=32, normalize_embeddings=True, show_progress_bar=False)
    data = [{"object": "embedding", "index": i, "embedding": row.tolist()} for i, row in enumerate(vectors)]
    return {"object": "list", "data": data, "model": body.model, "usage": {"prompt_tokens": 0, "total_tokens": 0}}


@app.get("/health/ready")
def ready() -> dict[str, bool]:
    """Say that the model is loaded."""
    return {"ready": True}


if __name__ == "__main__":
    torch.set_num_threads(2)
    model.encode(["warm", "up " * 200])
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning")
