"""Embeds over HTTP, by any server of OpenAI's embeddings API: a hosted one, or our own embedding service."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
from numpy.typing import NDArray

from ragstead.errors import ConfigurationError, InvalidRequest, NotFound, Overloaded, Unavailable
from ragstead.model import Role
from ragstead.ports.embedder import Embedded, EmbedRequest
from ragstead.ports.encoder import EncoderSpec
from ragstead.surrogates import without_surrogates

Floats = NDArray[np.float32]

_AGAIN = {408, 429, 500, 502, 503, 504}
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 10.0
_REQUESTS_AT_ONCE = 4
_MOST_CHARS_A_TOKEN = 16


@dataclass(frozen=True, slots=True)
class EmbeddingEndpoint:
    """Where vectors are made, and how it is asked.

    Attributes:
        base_url: Up to the version: `http://127.0.0.1:8081/v1`.
        api_key: Bearer token; None where none is needed.
        max_inputs: Texts of one request.
        timeout_s: Of one request, from its first byte to its answer's last.
        retries: How often it is sent again after 429, 5xx or a broken connection.
        sends_dimensions: Whether `dimensions` is asked for, as models that can be cut need it.
        is_ours: Whether it is a `ragstead serve embedding`, which knows `truncate` and `input_type`.
    """

    base_url: str
    api_key: str | None = None
    max_inputs: int = 128
    timeout_s: float = 30.0
    retries: int = 2
    sends_dimensions: bool = False
    is_ours: bool = False


class OpenAiEmbeddings:
    """Is an `Embedder` over HTTP; a `RequestEmbedder` too.

    Args:
        endpoint: Where vectors are made.
        spec: The model's name there, its width, and its prefixes where the server does not know them itself.
        identity: Of the vectors; None: the model's name and the server's host.
    """

    def __init__(
        self,
        endpoint: EmbeddingEndpoint,
        spec: EncoderSpec,
        *,
        identity: str | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._spec = spec
        host = urlsplit(endpoint.base_url).netloc.rpartition("@")[2]
        self._identity = identity or spec.identity(host, "hosted")
        self._client = _client(endpoint)
        self._turns = asyncio.Semaphore(_REQUESTS_AT_ONCE)

    @property
    def identity(self) -> str:
        """Name of the model and of who makes its vectors."""
        return self._identity

    @property
    def dim(self) -> int:
        """Width of a vector."""
        return self._spec.dim

    @property
    def max_tokens(self) -> int:
        """Tokens of a text that the model reads."""
        return self._spec.max_tokens

    async def embed(self, texts: Sequence[str], role: Role) -> Floats:
        """Return unit vectors of shape `[len(texts), dim]`.

        Where the server refuses a text as too long, as all but ours do, a quarter of it is left out until it does not.
        """
        given = [_sendable(text) for text in texts]
        if self._endpoint.is_ours:
            return (await self.run(EmbedRequest(given, role, truncate=True))).vectors
        prefix = self._spec.prefix(role)
        most = _MOST_CHARS_A_TOKEN * self._spec.max_tokens
        step = self._endpoint.max_inputs
        cut = [prefix + text[:most] for text in given]
        parts = await asyncio.gather(*(self._fitted(cut[i : i + step], role) for i in range(0, len(cut), step)))
        return np.concatenate([np.empty((0, self.dim), dtype=np.float32), *parts])

    async def _fitted(self, texts: Sequence[str], role: Role) -> Floats:
        """Embed texts of one request, those that are too long cut until they fit."""
        try:
            return (await self.run(EmbedRequest(texts, role, truncate=True))).vectors
        except InvalidRequest as error:
            if not _is_too_long(error):
                raise
            if len(texts) == 1:
                shorter = texts[0][: 3 * len(texts[0]) // 4]
                if len(shorter) < self._spec.max_tokens // 4:  # as long as that no text of so many characters is
                    raise
                return await self._fitted([shorter], role)
        return np.concatenate([await self._fitted([text], role) for text in texts])

    async def run(self, request: EmbedRequest) -> Embedded:
        """Return a vector for each input; what the server says of one is raised as it says it.

        Raises:
            InvalidRequest: If it refuses an input; `param` names the index among all of them.
            Overloaded: If it has too much to do, still after the retries.
            Unavailable: If it can't be reached, refuses our key, or answers nonsense.
        """
        step = self._endpoint.max_inputs
        parts = [(start, request.inputs[start : start + step]) for start in range(0, len(request.inputs), step)]
        answers = await asyncio.gather(*(self._part(request, start, part) for start, part in parts))
        vectors = [answer.vectors for answer in answers]
        empty = np.empty((0, self.dim), dtype=np.float32)
        return Embedded(np.concatenate([empty, *vectors]), sum(answer.tokens for answer in answers))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _part(self, request: EmbedRequest, start: int, inputs: Sequence[Any]) -> Embedded:
        body: dict[str, Any] = {"model": self._spec.name, "input": inputs, "encoding_format": "base64"}
        if self._endpoint.sends_dimensions:
            body["dimensions"] = self.dim
        if self._endpoint.is_ours:
            body |= {"truncate": request.truncate, "input_type": request.role}
        async with self._turns:
            answer = await self._sent(body)
        if answer.status_code != 200:
            raise self._refused(answer, start)
        return self._read(answer, len(inputs))

    async def _sent(self, body: dict[str, Any]) -> httpx.Response:
        """Send until it is answered for good; embedding a text twice does no harm."""
        url = f"{self._endpoint.base_url.rstrip('/')}/embeddings"
        pause_s = _FIRST_PAUSE_S
        for left in range(self._endpoint.retries, -1, -1):
            try:
                answer = await self._client.post(url, json=body)
            except httpx.HTTPError as error:
                if not left:
                    raise Unavailable("embedding", f"{url} can't be reached: {error!r}") from error
            else:
                if not left or answer.status_code not in _AGAIN:
                    return answer
                pause_s = max(pause_s, min(_retry_after_s(answer), _LONGEST_PAUSE_S))
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        raise AssertionError("unreachable")

    def _refused(self, answer: httpx.Response, start: int) -> Exception:
        message, param, code = _error_of(answer)
        said = f"{self._endpoint.base_url} answered {answer.status_code}: {message}"
        if answer.status_code in {401, 403}:
            return Unavailable("embedding", f"{said}; look at its api_key")
        if answer.status_code == 404:
            return Unavailable("embedding", f"{said}; has it the model {self._spec.name!r}?")
        if answer.status_code == 429:
            return Overloaded(said, retry_after_s=max(1.0, _retry_after_s(answer)))
        if answer.status_code < 500:
            return InvalidRequest(_moved(message, start), param=_moved(param, start) or None, code=code)
        return Unavailable("embedding", said)

    def _read(self, answer: httpx.Response, n: int) -> Embedded:
        try:
            view = answer.json()
            rows = {int(one["index"]): _numbers(one["embedding"]) for one in view["data"]}
            vectors = np.stack([rows[i] for i in range(n)])
            tokens = int(view.get("usage", {}).get("prompt_tokens", 0))
        except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
            raise Unavailable("embedding", f"{self._endpoint.base_url} answered no embeddings: {error!r}") from error
        if vectors.shape[1] != self.dim:
            raise ConfigurationError(
                f"{self._spec.name} of {self._endpoint.base_url} has vectors of {vectors.shape[1]} numbers, not "
                f"{self.dim} as it is said to",
                param="pipeline.embedder.models",
            )
        lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
        if not (np.isfinite(lengths).all() and (lengths > 0).all()):
            raise Unavailable("embedding", f"{self._endpoint.base_url} answered a vector that has no direction")
        return Embedded((vectors / lengths).astype(np.float32), tokens)


async def describe(endpoint: EmbeddingEndpoint, name: str) -> tuple[str, int, int]:
    """Return identity, dimensions and tokens of a model, as an embedding service of ours has it.

    Raises:
        NotFound: If it does not serve the model.
        Unavailable: If it can't be reached or is no service of ours.
    """
    url = f"{endpoint.base_url.rstrip('/')}/models/{name}"
    try:
        async with _client(endpoint) as client:
            answer = await client.get(url)
    except httpx.HTTPError as error:
        raise Unavailable("embedding", f"{url} can't be reached: {error!r}") from error
    if answer.status_code == 404:
        raise NotFound("model", name, f"{endpoint.base_url} says: {_error_of(answer)[0]}")
    try:
        told = answer.json()["embedding"]
        return str(told["identity"]), int(told["dimensions"]), int(told["max_tokens"])
    except (ValueError, KeyError, TypeError) as error:
        raise Unavailable(
            "embedding", f"{url} answered {answer.status_code} and nothing of an embedding model of ours"
        ) from error


def _client(endpoint: EmbeddingEndpoint) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {endpoint.api_key}"} if endpoint.api_key else {}
    timeout = httpx.Timeout(endpoint.timeout_s, connect=min(5.0, endpoint.timeout_s))
    return httpx.AsyncClient(headers=headers, timeout=timeout, trust_env=not endpoint.is_ours)


def _is_too_long(error: InvalidRequest) -> bool:
    """Whether a text was refused for its length, in OpenAI's code or in the words of others."""
    said = str(error).lower()
    return error.code == "context_length_exceeded" or (
        "token" in said and any(w in said for w in ("max", "long", "exceed"))
    )


def _sendable(text: str) -> str:
    """Replace what JSON in UTF-8 can't hold, and an empty text, which servers refuse, by one that reads the same."""
    return without_surrogates(text) or " "


def _numbers(given: object) -> Floats:
    """A vector as base64 of little-endian float32, or as numbers from servers that know nothing else."""
    if isinstance(given, str):
        return np.frombuffer(base64.b64decode(given, validate=True), dtype="<f4")
    vector = np.asarray(given, dtype=np.float32)
    if vector.ndim != 1:
        raise ValueError(f"a vector has {vector.ndim} dimensions")
    return vector


def _retry_after_s(answer: httpx.Response) -> float:
    try:
        return float(answer.headers.get("Retry-After", ""))
    except ValueError:
        return 0.0


def _error_of(answer: httpx.Response) -> tuple[str, str, str | None]:
    """Message, param and code of OpenAI's error shape; the first words of any other."""
    try:
        error = answer.json()["error"]
        code = error.get("code")
        return str(error["message"]), str(error.get("param") or ""), str(code) if code else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return answer.text[:200], "", None


def _moved(words: str, start: int) -> str:
    """Name an input by its index among all of them, not in its part."""
    if not start or not words.startswith("input["):
        return words
    index, bracket, rest = words.removeprefix("input[").partition("]")
    return f"input[{int(index) + start}]{bracket and rest}" if index.isdigit() else words
