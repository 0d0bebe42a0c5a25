"""`/v1/embeddings` over a model in this process; the gateway and the embedding service both have it."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Annotated, Any, Protocol

import numpy as np
import orjson
from fastapi import APIRouter, Body, Request, Response
from pydantic import ValidationError
from starlette.types import ASGIApp, Receive, Scope, Send

from ragstead.errors import InvalidRequest, NotFound
from ragstead.ports.embedder import Embedded, EmbedRequest, RequestEmbedder
from ragstead.ports.embedding_events import EmbeddingRelay
from ragstead.wire import EmbeddingModelView, EmbeddingsBody, EmbeddingsView, ModelView
from ragstead_serving.disconnects import while_connected
from ragstead_serving.openapi import errors
from ragstead_serving.responses import ServiceRoute
from ragstead_serving.short_ways import ShortWay

_EXAMPLES: Any = {
    "texts": {
        "summary": "Two texts",
        "value": {"model": "all-MiniLM-L6-v2", "input": ["The tide turns at noon.", "When does the tide turn?"]},
    },
    "openai": {
        "summary": "As an application that was written for OpenAI asks",
        "value": {"model": "text-embedding-3-small", "input": "The tide turns at noon.", "encoding_format": "base64"},
    },
}
EMBEDDINGS_PATHS = ("/v1/embeddings", "/embeddings")
_JSON = (b"content-type", b"application/json")
_VECTORS_A_TURN = 8
"""Vectors that are written without a pause: 0.1 ms of 384 numbers each."""
_CURE = "LangChain's OpenAIEmbeddings sends texts instead with check_embedding_ctx_length=False"


class ServedEmbedding(Protocol):
    """An embedding model as the routes see it: `ragstead.bootstrap.embedding.EmbeddingModel`, by its shape."""

    @property
    def name(self) -> str:
        """What the `model` of a request names."""
        ...

    @property
    def aliases(self) -> frozenset[str]:
        """Other names for it."""
        ...

    @property
    def device(self) -> str:
        """Where it runs."""
        ...

    @property
    def leaves(self) -> bool:
        """Whether a hosted API embeds, to which nothing of other applications is passed on."""
        ...

    @property
    def pipeline(self) -> RequestEmbedder:
        """What embeds."""
        ...

    @property
    def events(self) -> EmbeddingRelay:
        """Where whoever measures listens."""
        ...

    @property
    def device_memory(self) -> Callable[[], int | None]:
        """Gives the bytes that it holds of a GPU's memory; None where it holds none."""
        ...

    @property
    def hurry(self) -> Callable[[], AbstractContextManager[None]]:
        """Gives a block during which bulk work is held, within bounds."""
        ...


class Embeddings:
    """Answers requests for embeddings: what the routes and their short way share.

    Args:
        model: What embeds.
        max_inputs: Inputs of one request.
    """

    def __init__(self, model: ServedEmbedding, *, max_inputs: int) -> None:
        self._model = model
        self._max_inputs = max_inputs

    async def create(self, body: EmbeddingsBody, receive: Receive) -> bytes:
        """Return the answer, an `EmbeddingsView` as JSON.

        Args:
            body: What is asked.
            receive: Of the request; when it says that the client has hung up, the work ends.

        Raises:
            NotFound: If the model is another one, or computed elsewhere.
            InvalidRequest: If the input can't be used.
            Overloaded: If too much waits already.
            Unavailable: If the model fails.
            ClientGone: If the client hung up first.
        """
        request = self._request(body)
        found = await while_connected(receive, self._model.pipeline.run(request))
        return await _written(found, self._model.name, body.encoding_format)

    def short_way(self) -> ShortWay:
        """Return the way past the routes, on which bulk work makes way for short requests."""
        return ShortWay(self._find, self._model.hurry)

    def _find(self, body: bytes) -> ASGIApp | None:
        """Return what answers a body that is as it should be, or None."""
        try:
            asked = EmbeddingsBody.model_validate(orjson.loads(body))
        except (orjson.JSONDecodeError, ValidationError):
            return None

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001  (ASGI's signature)
            found = await self.create(asked, receive)
            length = str(len(found)).encode()
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length), _JSON]})
            await send({"type": "http.response.body", "body": found})

        return answer

    def _request(self, body: EmbeddingsBody) -> EmbedRequest:
        model = self._model
        if model.leaves:
            raise NotFound("model", body.model, f"{model.name} is hosted by {model.device}: ask it there")
        if body.model != model.name and body.model not in model.aliases:
            raise NotFound("model", body.model, f"there are {', '.join(_names(model))}")
        if body.dimensions not in (None, model.pipeline.dim):
            raise InvalidRequest(
                f"{model.name} has vectors of {model.pipeline.dim} dimensions alone, not {body.dimensions}",
                param="dimensions",
            )
        inputs = read_input(body.input, max_inputs=self._max_inputs)
        if body.model in model.aliases and not isinstance(inputs[0], str):
            raise InvalidRequest(
                f"the token ids are {body.model}'s and {model.name} has others: send text, or {model.name}'s own ids "
                f"under its own name ({_CURE})",
                param="input",
            )
        return EmbedRequest(inputs, body.input_type, truncate=body.truncate)


def embeddings_router(embeddings: Embeddings) -> APIRouter:
    """Return the routes `/v1/embeddings` and `/embeddings`; what is as it should be takes the short way past them."""
    router = APIRouter(route_class=ServiceRoute, tags=["embeddings"])

    async def create_embeddings(
        request: Request, body: Annotated[EmbeddingsBody, Body(openapi_examples=_EXAMPLES)]
    ) -> Response:
        """Turn texts into unit vectors."""
        return Response(await embeddings.create(body, request.receive), media_type="application/json")

    for path in EMBEDDINGS_PATHS:
        router.add_api_route(
            path,
            create_embeddings,
            methods=["POST"],
            response_model=EmbeddingsView,
            responses=errors(404, 429),
            include_in_schema=path.startswith("/v1"),
        )
    return router


def embedding_model_views(model: ServedEmbedding) -> list[ModelView]:
    """Return what `/v1/models` shows of the model: itself, then its other names; nothing of a hosted one."""
    if model.leaves:
        return []
    created = int(time.time())
    capabilities = {"embeddings": True, "chat": False}
    embedder = model.pipeline
    view = EmbeddingModelView(identity=embedder.identity, dimensions=embedder.dim, max_tokens=embedder.max_tokens)
    return [
        ModelView(id=name, created=created, owned_by="ragstead", capabilities=capabilities, embedding=view)
        for name in _names(model)
    ]


def _names(model: ServedEmbedding) -> list[str]:
    return [model.name, *sorted(model.aliases)]


def read_input(given: object, *, max_inputs: int) -> Sequence[str] | Sequence[Sequence[int]]:
    """Return the texts or the rows of token ids of a request.

    Raises:
        InvalidRequest: If it is neither, or empty, or one of them is; names its index.
    """
    if isinstance(given, str):
        return _texts([given], named=False)
    if not isinstance(given, list):
        raise InvalidRequest(f"input must be a string, strings, or token ids, not {given!r:.80}", param="input")
    if not given:
        raise InvalidRequest("input is empty; send at least one text", param="input")
    if all(type(one) is int for one in given):
        return _rows([given])
    if len(given) > max_inputs:
        raise InvalidRequest(
            f"input has {len(given)} items and may have {max_inputs}; send several requests", param="input"
        )
    if isinstance(given[0], list):
        return _rows(given)
    return _texts(given, named=True)


def _texts(given: Sequence[object], *, named: bool) -> list[str]:
    texts: list[str] = []
    for i, text in enumerate(given):
        name = f"input[{i}]" if named else "input"
        if not isinstance(text, str):
            raise InvalidRequest(f"{name} must be a string like the first, not {text!r:.80}", param=name)
        if not text:
            raise InvalidRequest(f"{name} is an empty string, which has no embedding", param=name)
        texts.append(text)
    return texts


def _rows(given: Sequence[object]) -> list[list[int]]:
    for i, row in enumerate(given):
        if not isinstance(row, list) or not all(type(one) is int for one in row):
            raise InvalidRequest(f"input[{i}] must be token ids like the first, not {row!r:.80}", param=f"input[{i}]")
        if not row:
            raise InvalidRequest(f"input[{i}] has no token ids", param=f"input[{i}]")
    return [row for row in given if isinstance(row, list)]


async def _written(found: Embedded, name: str, encoding: str) -> bytes:
    """Return the answer as JSON; many vectors a few at a time, so that others have their turns."""
    vectors = np.ascontiguousarray(found.vectors, dtype="<f4")
    pieces = []
    for start in range(0, len(vectors), _VECTORS_A_TURN):
        if start:
            await asyncio.sleep(0)
        data = [
            {
                "object": "embedding",
                "index": start + i,
                "embedding": base64.b64encode(vector.tobytes()).decode() if encoding == "base64" else vector,
            }
            for i, vector in enumerate(vectors[start : start + _VECTORS_A_TURN])
        ]
        pieces.append(orjson.dumps(data, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1])
    usage = {"prompt_tokens": found.tokens, "total_tokens": found.tokens}
    return b'{"object":"list","data":[' + b",".join(pieces) + b"]," + orjson.dumps({"model": name, "usage": usage})[1:]
