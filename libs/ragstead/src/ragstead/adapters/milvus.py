"""Vectors in Milvus: the embedded Lite or a server, by the same calls.

One Milvus collection holds one index: `key` (primary, int64), `version` (int64) and `vector` (cosine). Lite
searches it exactly (FLAT); a server builds the index it thinks best (AUTOINDEX). Searches ask for strong
consistency, so a write is seen by the next of them. Lite commits a write to its file before it answers:
what was acknowledged survives a `kill -9` of both processes without a flush.

`pymilvus` takes 0.5 s to import (0.1 s of it pandas), so it is imported when a connection is opened.

Filter templates (`filter_params`) do not work on Lite, so sets are written out: on Lite 10,000 versions add
50 ms to a search, 1,000 add less than the noise.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ragstead.coalescing import Coalescer
from ragstead.errors import IndexMismatch, Unavailable
from ragstead.model import Scope, version_of
from ragstead.ports.vector_index import Scores
from ragstead.ports.work_pool import WorkPool

T = TypeVar("T")
_Client = Any
"""`pymilvus.MilvusClient`, which is untyped and imported late."""

MAX_HITS = 16_384
"""Milvus' own limit on the hits of one search."""

_LOAD_TIMEOUT_S = 300.0  # a server builds what it lacks when it loads
_BATCH = 1_000
_TIE_MARGIN = 16
_SEARCHES_A_CALL = 8
"""Searches that share a call while another is under way: on Lite, 8 of them take 2.4 times as long as one."""
_STRONG = "Strong"
_SERVER_SEARCHES = 4
"""Searches of one index under way at a server; Lite shares our cores, and has one."""

_NO_PINGS = {"grpc.keepalive_time_ms": 2**31 - 1}
"""For Lite, which ends a connection that pings every ten seconds; over a Unix socket a dead end shows without."""
_FIELDS = {"anns_field": "vector", "search_params": {"metric_type": "COSINE", "params": {}}}


class MilvusServer:
    """Is one connection to a Milvus, and opens, lists and drops the indexes in it.

    Every call but opening an index ends within `timeout_s`; a server that is gone is asked again until then.
    """

    def __init__(self, client: _Client, pool: WorkPool, *, timeout_s: float, exact: bool) -> None:
        self._client = client
        self._pool = pool
        self._exact = exact
        self.timeout_s = timeout_s
        self.searches_at_once = 1 if exact else _SERVER_SEARCHES

    @classmethod
    async def connect(
        cls, uri: str, pool: WorkPool, *, token: str = "", timeout_s: float = 10.0
    ) -> MilvusServer:  # fmt: skip
        """Connect to the server at `uri`: `http://host:19530`, or `unix:/path` as `MilvusLiteProcess` has it.

        Args:
            uri: Where it is; a Unix socket means Lite, which is given exact indexes.
            pool: Where the blocking calls run.
            token: `user:password` or an API key; empty for none.
            timeout_s: Limit of each call.

        Raises:
            Unavailable: If it does not answer.
        """
        client = await pool.run(lambda: _connected(uri, token, timeout_s))
        return cls(client, pool, timeout_s=timeout_s, exact=uri.startswith("unix:"))

    async def index(self, name: str, dim: int) -> MilvusVectors:
        """Open the index `name` (letters, digits, `_`) as it is; make it, for vectors of width `dim`, if it is missing.

        Raises:
            Unavailable: If the server is down.
        """
        found = await self.run(f"open {name}", lambda client: self._open(client, name, dim))
        return MilvusVectors(self, name, found)

    async def names(self) -> list[str]:
        """Return the names of all indexes, ascending."""
        return sorted(await self.run("list", lambda client: client.list_collections(timeout=self.timeout_s)))

    async def drop(self, name: str) -> None:
        """Remove the index and all it holds; one that is not there is passed over."""
        await self.run(f"drop {name}", lambda client: client.drop_collection(name, timeout=self.timeout_s))

    async def ping(self) -> None:
        """Return when the server has answered.

        Raises:
            Unavailable: If it does not.
        """
        await self.names()

    async def close(self) -> None:
        """Close the connection; the server goes on."""
        await self.run("close", lambda client: client.close())

    async def run(self, doing: str, call: Callable[[_Client], T]) -> T:
        """Run `call` on the client off the event loop, errors translated."""

        def work() -> T:
            with _edge(doing):
                return call(self._client)

        return await self._pool.run(work)

    def _open(self, client: _Client, name: str, dim: int) -> int:
        """Return the width of the index as it is."""
        if not client.has_collection(name, timeout=self.timeout_s):
            self._create(client, name, dim)
        elif not client.list_indexes(name, field_name="vector", timeout=self.timeout_s):
            # a process was killed between the two steps of making it
            client.create_index(name, self._index_params(client), timeout=self.timeout_s)
        client.load_collection(name, timeout=max(self.timeout_s, _LOAD_TIMEOUT_S))
        fields = client.describe_collection(name, timeout=self.timeout_s)["fields"]
        return int(next(field["params"]["dim"] for field in fields if field["name"] == "vector"))

    def _create(self, client: _Client, name: str, dim: int) -> None:
        from pymilvus import DataType  # noqa: PLC0415 - slow, see above

        schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("key", DataType.INT64, is_primary=True)
        schema.add_field("version", DataType.INT64)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dim)
        client.create_collection(
            name,
            schema=schema,
            index_params=self._index_params(client),
            consistency_level=_STRONG,
            timeout=self.timeout_s,
        )

    def _index_params(self, client: _Client) -> Any:
        parameters = client.prepare_index_params()
        parameters.add_index("vector", index_type="FLAT" if self._exact else "AUTOINDEX", metric_type="COSINE")
        return parameters


class MilvusVectors:
    """Holds unit vectors in one Milvus collection; a `VectorIndex` with its contents.

    `MilvusServer` makes them. A search returns at most `MAX_HITS` keys.
    """

    def __init__(self, server: MilvusServer, name: str, dim: int) -> None:
        self._server = server
        self._name = name
        self._dim = dim
        self._searches = Coalescer(self._nearest, at_once=server.searches_at_once, most=_SEARCHES_A_CALL)

    async def add(self, keys: Sequence[int], vectors: NDArray[np.float32]) -> None:
        """Store `vectors` of shape `[len(keys), dim]`; of a key that comes twice the last one stays."""
        if not keys:
            return
        self._check_width(vectors)
        by_key = dict(zip(keys, np.asarray(vectors, dtype=np.float32), strict=True))
        rows = [{"key": key, "version": version_of(key), "vector": vector} for key, vector in by_key.items()]
        for batch in _batches(rows):
            await self._server.run("add", partial(self._upsert, batch))

    async def remove(self, version_keys: Collection[int]) -> None:
        """Forget all chunks of these versions; versions that are not there are passed over."""
        for batch in _batches(sorted(version_keys)):
            await self._server.run("remove", partial(self._delete, _one_of("version", batch)))

    async def search(self, vector: NDArray[np.float32], k: int, scope: Scope) -> Scores:
        """Return the cosine of the `k` nearest keys within `scope`; ties at the end go to the lower keys."""
        self._check_width(vector)
        if k < 1 or scope.is_nothing:
            return {}
        versions = sorted(scope.version_keys)
        within = "" if scope.is_everything else _one_of("version", versions, exclude=scope.exclude)
        ranked = await self._searches.ask((min(k + _TIE_MARGIN, MAX_HITS), within), vector)
        while k < len(ranked) < MAX_HITS and ranked[-1][0] == ranked[k - 1][0]:
            # Milvus orders ties by where they lie, so all that tie with the last are fetched
            some = await self._searches.ask((min(2 * len(ranked), MAX_HITS), within), vector)
            if len(some) <= len(ranked):
                break
            ranked = some
        return {key: -negated for negated, key in ranked[:k]}

    async def score(self, vector: NDArray[np.float32], keys: Collection[int]) -> Scores:
        """Return the cosine of each of `keys` that the index holds, by searches among them."""
        self._check_width(vector)
        found: list[tuple[float, int]] = []
        for batch in _batches(sorted(set(keys))):
            found += await self._server.run("score", partial(self._score, vector, batch))
        return {key: -negated for negated, key in sorted(found)}

    async def keys(self) -> NDArray[np.int64]:
        """Return every key, ascending."""
        return await self._server.run("list", self._keys)

    def _upsert(self, rows: list[dict[str, object]], client: _Client) -> None:
        client.upsert(self._name, rows, timeout=self._server.timeout_s)

    def _delete(self, condition: str, client: _Client) -> None:
        client.delete(self._name, filter=condition, timeout=self._server.timeout_s)

    async def _nearest(
        self, key: tuple[int, str], vectors: Sequence[NDArray[np.float32]]
    ) -> list[list[tuple[float, int]]]:
        """Return for each vector its nearest, at most `key[0]` of those within `key[1]`."""
        limit, within = key
        return await self._server.run("search", partial(self._hits, vectors, limit, within))

    def _score(self, vector: NDArray[np.float32], keys: Sequence[int], client: _Client) -> list[tuple[float, int]]:
        return self._hits([vector], _BATCH, _one_of("key", keys), client)[0]

    def _hits(
        self, vectors: Sequence[NDArray[np.float32]], limit: int, within: str, client: _Client
    ) -> list[list[tuple[float, int]]]:
        """Return for each vector negated cosine and key, ascending."""
        found = client.search(
            self._name,
            data=[np.asarray(vector, dtype=np.float32) for vector in vectors],
            limit=limit,
            filter=within,
            consistency_level=_STRONG,
            timeout=self._server.timeout_s,
            **_FIELDS,
        )
        return [sorted((-min(1.0, max(-1.0, hit["distance"])), int(hit["id"])) for hit in one) for one in found]

    def _keys(self, client: _Client) -> NDArray[np.int64]:
        pages = client.query_iterator(self._name, batch_size=MAX_HITS, output_fields=["key"], consistency_level=_STRONG)
        try:
            keys = [int(row["key"]) for page in iter(pages.next, []) for row in page]
        finally:
            pages.close()
        return np.sort(np.asarray(keys, dtype=np.int64))

    def _check_width(self, vectors: NDArray[np.float32]) -> None:
        if vectors.shape[-1] != self._dim:
            raise IndexMismatch(f"index {self._name} holds vectors of width {self._dim}, not {vectors.shape[-1]}")


def _one_of(field: str, values: Sequence[int], *, exclude: bool = False) -> str:
    return f"{field} {'not in' if exclude else 'in'} [{','.join(map(str, values))}]"


def _batches(items: Sequence[T]) -> Iterator[list[T]]:
    for start in range(0, len(items), _BATCH):
        yield list(items[start : start + _BATCH])


def _connected(uri: str, token: str, timeout_s: float) -> _Client:
    from pymilvus import MilvusClient  # noqa: PLC0415 - slow, see above

    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # it logs what it raises
    local = uri.startswith("unix:")
    with _edge(f"connect to {uri}"):
        return MilvusClient(
            uri=uri, token=token, timeout=timeout_s, dedicated=True, grpc_options=_NO_PINGS if local else {}
        )


@contextmanager
def _edge(doing: str) -> Iterator[None]:
    """Translate Milvus' errors, and those of gRPC that its client lets through."""
    import grpc  # noqa: PLC0415 - with pymilvus
    from pymilvus import MilvusException  # noqa: PLC0415

    try:
        yield
    except (MilvusException, grpc.RpcError, grpc.FutureTimeoutError) as error:
        raise Unavailable("vectors", f"Milvus could not {doing}: {error}; is it running?") from error
