"""The embedding model with its queue and cache: in process for the platform, or as a service of its own."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass

from ragstead.adapters.cachetools_cache import MemoryCache
from ragstead.adapters.right_of_way import ThreadRightOfWay
from ragstead.adapters.thread_pool import ThreadWorkPool
from ragstead.bootstrap.model_sources import spec_of
from ragstead.bootstrap.models import open_encoder, open_word_pieces
from ragstead.bootstrap.reranking import open_reranker
from ragstead.errors import ConfigurationError, Unavailable
from ragstead.pipelines.embed import EmbedPipeline
from ragstead.pipelines.encode_queue import EncodeQueue, QueueLimits
from ragstead.ports.cache import Cache
from ragstead.ports.embedder import RequestEmbedder, TokenCounter
from ragstead.ports.embedding_events import EmbeddingRelay
from ragstead.ports.reranker import Reranker
from ragstead.ports.work_pool import WorkPool
from ragstead.settings import Settings, resolve_secret

_log = logging.getLogger(__name__)


def _no_memory() -> int | None:
    return None


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """An embedding model that is ready.

    Attributes:
        name: What the `model` of a request names.
        aliases: Other names for it, such as OpenAI's.
        device: Where it runs: `cpu`, `cuda`, or the address of who runs it.
        pipeline: Embeds; an `Embedder` too.
        counter: Counts tokens as the model does, or nearly so where the model is not in this process.
        events: Where whoever measures listens.
        leaves: Whether texts leave this house for a hosted API. Requests of others are not passed on to one.
        device_memory: Gives the bytes that it holds of a GPU's memory; None where it holds none.
        hurry: Gives a block during which bulk work in this process is held, within bounds.
    """

    name: str
    aliases: frozenset[str]
    device: str
    pipeline: RequestEmbedder
    counter: TokenCounter
    events: EmbeddingRelay
    leaves: bool = False
    device_memory: Callable[[], int | None] = _no_memory
    hurry: Callable[[], AbstractContextManager[None]] = nullcontext


@dataclass(frozen=True, slots=True)
class EmbeddingService:
    """What `ragstead serve embedding` serves."""

    embedding: EmbeddingModel
    reranker: Reranker | None


@asynccontextmanager
async def serve_embedding(settings: Settings) -> AsyncIterator[EmbeddingService]:
    """Open the models for a process that does nothing else, warmed up, until the block ends.

    Raises:
        Unavailable: If a model can't be had.
        ConfigurationError: If the settings ask for what this build or machine can't do.
    """
    if settings.pipeline.embedder.runtime == "hosted" or settings.deployment.embedding.remote is not None:
        raise ConfigurationError(
            "the embedding service computes itself: choose another runtime than hosted, and no remote",
            param="pipeline.embedder.runtime",
        )
    async with AsyncExitStack() as stack:
        pool = ThreadWorkPool(settings.deployment.threads + 1, max_waiting=4096)
        stack.callback(pool.close)
        model = await open_embedding(settings, pool, stack)
        await model.pipeline.embed(["warm", "up " * 200], "passage")
        yield EmbeddingService(model, open_reranker(settings, pool))


async def open_embedding(settings: Settings, pool: WorkPool, stack: AsyncExitStack) -> EmbeddingModel:
    """Open the model, in this process or where it runs; what is to be closed goes on `stack`.

    Args:
        settings: Which one, and how much of it.
        pool: Where it computes; with a thread more than `settings.deployment.threads`.
        stack: Closed when the model is not needed any more.

    Raises:
        Unavailable: If the model can't be had.
        ConfigurationError: If an alias stands for a model that is not known, or the settings do not fit each other.
    """
    chosen = settings.pipeline.embedder
    aliases = settings.deployment.embedding.aliases
    strange = next((alias for alias, meant in aliases.items() if meant not in chosen.models), None)
    if strange is not None:
        raise ConfigurationError(
            f"alias {strange!r} stands for {aliases[strange]!r}, which is none of {', '.join(chosen.models)}",
            param="deployment.embedding.aliases",
        )
    if chosen.runtime == "hosted":
        return _open_hosted(settings, stack)
    if settings.deployment.embedding.remote is not None:
        return await _open_remote(settings, stack)
    try:
        return _open_here(settings, chosen.model, pool, stack)
    except Unavailable as error:
        if chosen.fallback is None:
            raise
        _log.warning("%s can't be had, %s is served in its place: %s", chosen.model, chosen.fallback, error)
        return _open_here(settings, chosen.fallback, pool, stack)


def _open_here(settings: Settings, name: str, pool: WorkPool, stack: AsyncExitStack) -> EmbeddingModel:
    encoder = open_encoder(settings, name)
    events = EmbeddingRelay()
    runners = 1 if settings.pipeline.embedder.runtime == "sentence-transformers" else settings.deployment.threads
    background = ThreadWorkPool(runners, max_waiting=4096, in_the_background=True)
    stack.callback(background.close)
    limits = QueueLimits(
        bulk_runners=runners,
        max_waiting_tokens=settings.deployment.embedding.max_waiting_tokens,
    )
    right_of_way = ThreadRightOfWay()
    queue = EncodeQueue(encoder, pool, limits, events, background, right_of_way)
    cache = _open_cache(settings, events, stack)
    return EmbeddingModel(
        name,
        _aliases(settings, name),
        encoder.device,
        EmbedPipeline(encoder, queue, pool, cache, events, background, right_of_way),
        encoder,
        events,
        device_memory=encoder.device_memory,
        hurry=right_of_way.hurry,
    )


async def _open_remote(settings: Settings, stack: AsyncExitStack) -> EmbeddingModel:
    from ragstead.adapters.openai_embeddings import EmbeddingEndpoint, OpenAiEmbeddings, describe  # noqa: PLC0415

    remote = settings.deployment.embedding.remote
    assert remote is not None
    name = settings.pipeline.embedder.model
    endpoint = EmbeddingEndpoint(
        f"{remote.url.rstrip('/').removesuffix('/v1')}/v1",
        resolve_secret(remote.api_key) if remote.api_key else None,
        timeout_s=remote.timeout_s,
        is_ours=True,
    )
    spec = spec_of(settings, name)
    identity, dim, max_tokens = await describe(endpoint, name)
    if (dim, max_tokens) != (spec.dim, spec.max_tokens):
        raise ConfigurationError(
            f"{name} of {remote.url} has {dim} dimensions and reads {max_tokens} tokens, in pipeline.embedder.models "
            f"it has {spec.dim} and reads {spec.max_tokens}",
            param="pipeline.embedder.models",
        )
    embedder = OpenAiEmbeddings(endpoint, spec, identity=identity)
    stack.push_async_callback(embedder.close)
    return EmbeddingModel(name, _aliases(settings, name), remote.url, embedder, open_word_pieces(), EmbeddingRelay())


def _open_hosted(settings: Settings, stack: AsyncExitStack) -> EmbeddingModel:
    from ragstead.adapters.openai_embeddings import EmbeddingEndpoint, OpenAiEmbeddings  # noqa: PLC0415

    hosted = settings.deployment.embedding.hosted
    name = settings.pipeline.embedder.model
    if hosted is None:
        raise ConfigurationError(
            f"{name} is to be hosted, and deployment.embedding.hosted does not say where",
            param="deployment.embedding.hosted",
        )
    endpoint = EmbeddingEndpoint(
        hosted.base_url,
        resolve_secret(hosted.api_key) if hosted.api_key else None,
        max_inputs=hosted.max_inputs,
        timeout_s=hosted.timeout_s,
        retries=hosted.retries,
        sends_dimensions=hosted.sends_dimensions,
    )
    embedder = OpenAiEmbeddings(endpoint, spec_of(settings, name))
    stack.push_async_callback(embedder.close)
    return EmbeddingModel(
        name, frozenset(), hosted.base_url, embedder, open_word_pieces(), EmbeddingRelay(), leaves=True
    )


def _aliases(settings: Settings, name: str) -> frozenset[str]:
    """Those that stand for the model that is served; vectors of another one would be no help to who asks for it."""
    return frozenset(alias for alias, meant in settings.deployment.embedding.aliases.items() if meant == name)


def _open_cache(settings: Settings, events: EmbeddingRelay, stack: AsyncExitStack) -> Cache | None:
    serving = settings.deployment.embedding
    if serving.cache_url is not None:
        from ragstead.adapters.redis_cache import RedisCache  # noqa: PLC0415  (slow to import, and rarely asked for)

        url = resolve_secret(serving.cache_url)
        shared = RedisCache(url, ttl_s=serving.cache_ttl_s, on_failure=events.cache_failed)
        stack.push_async_callback(shared.close)
        return shared
    return MemoryCache(serving.cache_bytes, ttl_s=serving.cache_ttl_s) if serving.cache_bytes else None
