"""A library behind a plain FastAPI server, `embed` in one of FastAPI's threads: the usual way to serve embeddings.

    python plain_server.py LIBRARY FOLDER PORT [ONNX_FILE]

LIBRARY is sentence-transformers, langchain or haystack; with ONNX_FILE, a path inside FOLDER, it runs on ONNX Runtime
instead of torch. Started by `evals.bench.embeddings` in the environment of the peer; OpenAI's shape, as far as the
benchmark needs it. Each library embeds in batches of 32, its default, and returns unit vectors.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import torch
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

Embed = Callable[[list[str]], list[list[float]]]

BATCH = 32
THREADS = 2


class Body(BaseModel):
    """OpenAI's request."""

    model: str
    input: str | list[str]
    encoding_format: str = "float"


def backend(onnx_file: str) -> dict[str, Any]:
    """What all three libraries take to run the file on ONNX Runtime."""
    if not onnx_file:
        return {}
    return {"backend": "onnx", "model_kwargs": {"file_name": onnx_file, "provider": "CPUExecutionProvider"}}


def sentence_transformers(folder: str, onnx_file: str) -> Embed:
    """Is `SentenceTransformer.encode`."""
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415  (each environment has one library)

    model = SentenceTransformer(folder, device="cpu", local_files_only=True, **backend(onnx_file))

    def embed(texts: list[str]) -> list[list[float]]:
        vectors = model.encode(texts, batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False)
        return [row.tolist() for row in vectors]

    return embed


def langchain(folder: str, onnx_file: str) -> Embed:
    """Is LangChain's `HuggingFaceEmbeddings`: `embed_query` for one text, `embed_documents` for several."""
    from langchain_huggingface import HuggingFaceEmbeddings  # noqa: PLC0415

    model = HuggingFaceEmbeddings(
        model_name=folder,
        model_kwargs={"device": "cpu", "local_files_only": True, **backend(onnx_file)},
        encode_kwargs={"batch_size": BATCH, "normalize_embeddings": True},
    )

    def embed(texts: list[str]) -> list[list[float]]:
        return [model.embed_query(texts[0])] if len(texts) == 1 else model.embed_documents(texts)

    return embed


def haystack(folder: str, onnx_file: str) -> Embed:
    """Is Haystack's text embedder for one text, and its document embedder for several."""
    from haystack import Document  # noqa: PLC0415
    from haystack.utils import ComponentDevice  # noqa: PLC0415
    from haystack_integrations.components.embedders.sentence_transformers import (  # noqa: PLC0415
        SentenceTransformersDocumentEmbedder,
        SentenceTransformersTextEmbedder,
    )

    settings = {
        "model": folder,
        "device": ComponentDevice.from_str("cpu"),
        "token": None,
        "batch_size": BATCH,
        "progress_bar": False,
        "normalize_embeddings": True,
        "local_files_only": True,
        **backend(onnx_file),
    }
    query, documents = SentenceTransformersTextEmbedder(**settings), SentenceTransformersDocumentEmbedder(**settings)
    query.warm_up()
    documents.warm_up()

    def embed(texts: list[str]) -> list[list[float]]:
        if len(texts) == 1:
            return [query.run(text=texts[0])["embedding"]]
        found = documents.run(documents=[Document(content=text) for text in texts])["documents"]
        return [document.embedding for document in found]

    return embed


LIBRARIES = {"sentence-transformers": sentence_transformers, "langchain": langchain, "haystack": haystack}


def app_of(embed: Embed) -> FastAPI:
    """Return the two routes that the benchmark asks."""
    app = FastAPI()

    @app.post("/v1/embeddings")
    def embeddings(body: Body) -> dict[str, Any]:
        vectors = embed([body.input] if isinstance(body.input, str) else body.input)
        data = [{"object": "embedding", "index": i, "embedding": row} for i, row in enumerate(vectors)]
        return {"object": "list", "data": data, "model": body.model, "usage": {"prompt_tokens": 0, "total_tokens": 0}}

    @app.get("/health/ready")
    def ready() -> dict[str, bool]:
        return {"ready": True}

    return app


def main() -> None:
    """Serve until the process is stopped."""
    library, folder, port, *rest = sys.argv[1:]
    torch.set_num_threads(THREADS)
    embed = LIBRARIES[library](folder, rest[0] if rest else "")
    embed(["warm", "up " * 200])
    uvicorn.run(app_of(embed), host="127.0.0.1", port=int(port), log_level="warning")


if __name__ == "__main__":
    main()
