"""Texts to vectors over fakes: lengths, the cache, token ids, and errors that name the index."""

import asyncio
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from ragstead.errors import InvalidRequest
from ragstead.pipelines.embed import Embedded, EmbedPipeline, EmbedRequest
from ragstead.pipelines.encode_queue import EncodeQueue
from ragstead.ports.cache import Cache
from ragstead.ports.encoder import Breathe
from ragstead.testing.fakes import HashEncoder, InlinePool

LONG = "word " * 40


class Counting(HashEncoder):
    """Counts the rows that it encodes."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = 0

    def encode(self, rows: Sequence[Sequence[int]], breathe: Breathe | None = None) -> np.ndarray:
        self.rows += len(rows)
        return super().encode(rows, breathe)


class DictCache:
    """Is a `Cache`; `broken` values are what another version may have left."""

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}

    async def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return [self.values.get(key) for key in keys]

    async def set_many(self, values: Mapping[bytes, bytes]) -> None:
        self.values.update(values)


def pipeline(encoder: HashEncoder, cache: Cache | None = None) -> EmbedPipeline:
    pool = InlinePool()
    return EmbedPipeline(encoder, EncodeQueue(encoder, pool), pool, cache)


def run(made: EmbedPipeline, *inputs: str, **more: object) -> Embedded:
    return asyncio.run(made.run(EmbedRequest(inputs, **more)))  # type: ignore[arg-type]


def test_tokens_are_counted_with_the_special_ones() -> None:
    assert run(pipeline(HashEncoder()), "one two", "three").tokens == 7


def test_long_text_is_refused_by_index_and_length_and_cut_where_allowed() -> None:
    made = pipeline(HashEncoder())
    with pytest.raises(InvalidRequest, match=r"input\[1\] has 42 tokens and the model reads 16") as caught:
        run(made, "short", LONG)
    assert (caught.value.param, caught.value.code) == ("input[1]", "context_length_exceeded")
    found = run(made, "short", LONG, truncate=True)
    assert found.tokens == 3 + 16
    assert np.array_equal(found.vectors[1], run(made, "word " * 14, truncate=True).vectors[0])


def test_cache_spares_the_encoder_and_keeps_counts_and_lengths() -> None:
    encoder, cache = Counting(), DictCache()
    made = pipeline(encoder, cache)
    first = run(made, "one two", LONG, truncate=True)
    assert encoder.rows == 2
    again = run(made, "new", LONG, "one two", truncate=True)
    assert encoder.rows == 3
    assert np.array_equal(again.vectors[[2, 1]], first.vectors)
    assert again.tokens == 3 + first.tokens
    with pytest.raises(InvalidRequest, match="42 tokens"):
        run(made, LONG)


def test_cache_tells_roles_and_models_apart() -> None:
    encoder, cache = Counting(), DictCache()
    run(pipeline(encoder, cache), "one")
    run(pipeline(encoder, cache), "one", role="query")
    assert encoder.rows == 2
    run(pipeline(HashEncoder(dim=8), cache), "one")
    assert len(cache.values) == 3


def test_damaged_entry_is_a_miss() -> None:
    encoder, cache = Counting(), DictCache()
    made = pipeline(encoder, cache)
    wanted = run(made, "one").vectors
    cache.values = dict.fromkeys(cache.values, b"rubbish")
    assert np.array_equal(run(made, "one").vectors, wanted)
    assert encoder.rows == 2


def test_token_ids_are_embedded_as_the_text_they_are_of() -> None:
    encoder = HashEncoder()
    made = pipeline(encoder)
    ids = encoder.tokenize(["one two"], "passage")[0][1:-1]
    found = asyncio.run(made.run(EmbedRequest([ids])))
    assert np.array_equal(found.vectors, run(made, "one two").vectors)
    with pytest.raises(InvalidRequest, match=r"input\[1\]: token id 10000 is not in the vocabulary"):
        asyncio.run(made.run(EmbedRequest([ids, [10_000]])))


def test_nothing_gives_nothing() -> None:
    found = run(pipeline(HashEncoder(), DictCache()))
    assert (found.vectors.shape, found.tokens) == ((0, 32), 0)
