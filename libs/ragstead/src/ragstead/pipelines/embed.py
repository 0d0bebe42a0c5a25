"""A text's way to its vector: cache, tokens, queue, encoder."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ragstead.errors import InvalidRequest
from ragstead.model import Role
from ragstead.pipelines.encode_queue import EncodeQueue
from ragstead.ports.cache import Cache
from ragstead.ports.embedder import Embedded, EmbedRequest
from ragstead.ports.embedding_events import EmbeddingEvents, EmbeddingRelay
from ragstead.ports.encoder import Encoder
from ragstead.ports.work_pool import RightOfWay, WorkPool
from ragstead.token_rows import cut

Floats = NDArray[np.float32]

_TEXTS_A_TURN = 64
"""Texts that are tokenised as one piece of work."""

_TEXTS_A_STEP = 4
"""Texts after which others are let by: some 0.7 ms."""

_SHORT_CHARS = 1_000
"""Characters that are tokenised where they are, as that takes less (some 50 us) than the way to a thread."""

_COUNT = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class _Known:
    """A vector as the cache keeps it: whole length of its row, then the numbers."""

    length: int
    vector: Floats

    def packed(self) -> bytes:
        return _COUNT.pack(self.length) + self.vector.astype("<f4").tobytes()


class EmbedPipeline:
    """Embeds texts with one model; an `Embedder`, and what the embeddings API is served from.

    Args:
        encoder: The model.
        queue: Where its rows wait.
        pool: Where texts are tokenised.
        cache: Knows vectors from before; None for none.
        events: Hears what the cache knew; None for nobody.
        bulk_pool: Where the texts of long requests are tokenised; None for `pool`.
        right_of_way: Lets questions by meanwhile; None for nothing.
    """

    def __init__(
        self,
        encoder: Encoder,
        queue: EncodeQueue,
        pool: WorkPool,
        cache: Cache | None = None,
        events: EmbeddingEvents | None = None,
        bulk_pool: WorkPool | None = None,
        right_of_way: RightOfWay | None = None,
    ) -> None:
        self._right_of_way = right_of_way
        self._encoder = encoder
        self._queue = queue
        self._pool = pool
        self._bulk_pool = bulk_pool or pool
        self._cache = cache
        self._events = events or EmbeddingRelay()

    @property
    def identity(self) -> str:
        """Name, revision and precision of the model."""
        return self._encoder.identity

    @property
    def dim(self) -> int:
        """Width of a vector."""
        return self._encoder.dim

    @property
    def max_tokens(self) -> int:
        """Tokens of a text that the model reads, special ones among them."""
        return self._encoder.max_tokens

    async def embed(self, texts: Sequence[str], role: Role) -> Floats:
        """Return unit vectors of shape `[len(texts), dim]`; what is over the model's length is left out."""
        return (await self.run(EmbedRequest(texts, role, truncate=True))).vectors

    async def run(self, request: EmbedRequest) -> Embedded:
        """Return a vector for each input.

        Raises:
            InvalidRequest: If an input is too long and is not to be cut, or has an id that is not in the vocabulary;
                names its index as `input[3]`.
            Overloaded: If too much waits already.
            Unavailable: If the model fails.
        """
        keys = [_key(self.identity, request.role, given) for given in request.inputs] if self._cache else []
        known = await self._known(keys)
        missing = [i for i in range(len(request.inputs)) if i not in known]
        rows = await self._rows(request, missing)
        lengths = {i: len(row) for i, row in zip(missing, rows, strict=True)} | {i: k.length for i, k in known.items()}
        most = self._encoder.max_tokens
        if not request.truncate:
            await self._refuse_long(request, lengths)
        fresh = await self._queue.encode([cut(row, most) for row in rows])
        vectors = np.empty((len(request.inputs), self.dim), dtype=np.float32)
        vectors[missing] = fresh
        for i, one in known.items():
            vectors[i] = one.vector
        if self._cache is not None and missing:
            found = zip(missing, fresh, strict=True)
            await self._cache.set_many({keys[i]: _Known(lengths[i], vector).packed() for i, vector in found})
        return Embedded(vectors, sum(min(length, most) for length in lengths.values()))

    async def _known(self, keys: Sequence[bytes]) -> dict[int, _Known]:
        if self._cache is None or not keys:
            return {}
        size = _COUNT.size + 4 * self.dim
        found: dict[int, _Known] = {}
        for i, value in enumerate(await self._cache.get_many(keys)):
            if value is not None and len(value) == size:
                (length,) = _COUNT.unpack_from(value)
                found[i] = _Known(length, np.frombuffer(value, dtype="<f4", offset=_COUNT.size))
        self._events.looked_up(len(found), len(keys) - len(found))
        return found

    async def _rows(self, request: EmbedRequest, wanted: Sequence[int]) -> list[list[int]]:
        """Return the rows of the inputs, cut just beyond the model's length."""
        short = len(wanted) == 1 and len(request.inputs[wanted[0]]) <= _SHORT_CHARS
        if short:
            return self._tokenized(request, wanted)
        rows: list[list[int]] = []
        pool = self._pool if sum(len(request.inputs[i]) for i in wanted) <= _SHORT_CHARS else self._bulk_pool
        for start in range(0, len(wanted), _TEXTS_A_TURN):
            turn = wanted[start : start + _TEXTS_A_TURN]
            rows += await pool.run(lambda turn=turn: self._in_steps(request, turn))  # type: ignore[misc]
        return rows

    def _in_steps(self, request: EmbedRequest, turn: Sequence[int]) -> list[list[int]]:
        """Tokenise a turn, letting others by between its steps."""
        rows: list[list[int]] = []
        for start in range(0, len(turn), _TEXTS_A_STEP):
            if self._right_of_way is not None:
                self._right_of_way.let_by()
            rows += self._tokenized(request, turn[start : start + _TEXTS_A_STEP])
        return rows

    def _tokenized(self, request: EmbedRequest, turn: Sequence[int]) -> list[list[int]]:
        given = [request.inputs[i] for i in turn]
        texts = [one for one in given if isinstance(one, str)]
        if len(texts) == len(given):
            return self._encoder.tokenize(texts, request.role, at_most=self._encoder.max_tokens + 1)
        rows = []
        for i, ids in zip(turn, given, strict=True):
            try:
                rows.append(self._encoder.framed([int(token) for token in ids]))
            except InvalidRequest as error:
                raise InvalidRequest(f"input[{i}]: {error}", param=f"input[{i}]", code="invalid_value") from error
        return rows

    async def _refuse_long(self, request: EmbedRequest, lengths: Mapping[int, int]) -> None:
        most = self._encoder.max_tokens
        for i in sorted(i for i, length in lengths.items() if length > most):
            given = request.inputs[i]
            text = given if isinstance(given, str) else None
            length = lengths[i]
            if text is not None:  # its row was cut
                length = len((await self._pool.run(lambda t=text: self._encoder.tokenize([t], request.role)))[0])  # type: ignore[misc]
            raise InvalidRequest(
                f"input[{i}] has {length} tokens and the model reads {most}; shorten it, or send `truncate: true` to "
                "have its end left out",
                param=f"input[{i}]",
                code="context_length_exceeded",
            )


def _key(identity: str, role: Role, given: str | Sequence[int]) -> bytes:
    digest = hashlib.sha256(f"{identity}\0{role}\0".encode())
    if isinstance(given, str):
        digest.update(b"text\0" + given.encode("utf-8", "surrogatepass"))
    else:
        digest.update(b"ids\0" + ",".join(map(str, given)).encode())
    return digest.digest()
