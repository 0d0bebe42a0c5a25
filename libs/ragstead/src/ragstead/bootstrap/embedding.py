"""The embedding model with its queue and cache: in process for the platform, or as a service of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from ragstead.adapters.cachetools_cache import MemoryCache
from ragstead.adapters.onnx_minilm import WordPieces
from ragstead.adapters.thread_pool import ThreadWorkPool
from ragstead.bootstrap.models import open_encoder
from ragstead.errors import ConfigurationError
from ragstead.pipelines.embed import EmbedPipeline
from ragstead.pipelines.encode_queue import EncodeQueue, QueueLimits
from ragstead.ports.cache import Cache
from ragstead.ports.embedding_events import EmbeddingRelay
from ragstead.ports.work_pool import WorkPool
from ragstead.settings import Settings, resolve_secret


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """A served embedding model.

    Attributes:
        name: What the `model` of a request names.
        aliases: Other names for it, such as OpenAI's.
        device: Where it runs.
        pipeline: Embeds; an `Embedder` too.
        events: Where whoever measures listens.
    """

    name: str
    aliases: frozenset[str]
    device: str
    pipeline: EmbedPipeline
    events: EmbeddingRelay


@asynccontextmanager
async def serve_embedding(settings: Settings) -> AsyncIterator[EmbeddingModel]:
    """Open the model for a process that does nothing else, warmed up, until the block ends.

    Raises:
        Unavailable: If the model can't be had.
        ConfigurationError: If the settings ask for what this build or machine can't do.
    """
    async with AsyncExitStack() as stack:
        pool = ThreadWorkPool(settings.deployment.threads + 1, max_waiting=4096)
        stack.callback(pool.close)
        model = await open_embedding(settings, pool, stack)
        await model.pipeline.embed(["warm", "up " * 200], "passage")
        yield model


async def open_embedding(
    settings: Settings, pool: WorkPool, stack: AsyncExitStack, pieces: WordPieces | None = None
) -> EmbeddingModel:
    """Open the model; what is to be closed goes on `stack`.

    Args:
        settings: Which one, and how much of it.
        pool: Where it computes; with a thread more than `settings.deployment.threads`.
        stack: Closed when the model is not needed any more.
        pieces: The tokenizer, to share one.

    Raises:
        Unavailable: If the model can't be had.
        ConfigurationError: If an alias stands for a model that is not served.
    """
    serving = settings.deployment.embedding
    encoder = open_encoder(settings, pieces)
    events = EmbeddingRelay()
    limits = QueueLimits(bulk_runners=settings.deployment.threads, max_waiting_tokens=serving.max_waiting_tokens)
    queue = EncodeQueue(encoder, pool, limits, events)
    name = settings.pipeline.embedder.model
    strange = next((alias for alias, meant in serving.aliases.items() if meant != name), None)
    if strange is not None:
        raise ConfigurationError(
            f"alias {strange!r} stands for {serving.aliases[strange]!r}, which is not served; {name} is",
            param="deployment.embedding.aliases",
        )
    return EmbeddingModel(
        name,
        frozenset(serving.aliases),
        "cpu",
        EmbedPipeline(encoder, queue, pool, _open_cache(settings, stack), events),
        events,
    )


def _open_cache(settings: Settings, stack: AsyncExitStack) -> Cache | None:
    serving = settings.deployment.embedding
    if serving.cache_url is not None:
        from ragstead.adapters.redis_cache import RedisCache  # noqa: PLC0415  (slow to import, and rarely asked for)

        shared = RedisCache(resolve_secret(serving.cache_url), ttl_s=serving.cache_ttl_s)
        stack.push_async_callback(shared.close)
        return shared
    return MemoryCache(serving.cache_bytes, ttl_s=serving.cache_ttl_s) if serving.cache_bytes else None
