"""Where answers are kept, and for how long."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AsyncExitStack

from ragstead.adapters.cachetools_cache import MemoryCache
from ragstead.model import Collection
from ragstead.pipelines.asking import Answerer, AskRequest
from ragstead.pipelines.cached_answers import CachedAnswers, CachePlan
from ragstead.pipelines.route import RoutedGenerator
from ragstead.pipelines.traced.writing import TracedCache
from ragstead.ports.cache import Cache
from ragstead.ports.generator import GenerationRequest, Generator
from ragstead.ports.live_chunks import LiveChunks
from ragstead.settings import AnswerCacheRule, AnswerCacheSettings, resolve_secret

_WORD = re.compile(r"\w+")
_PREFIX = b"ragstead:answer:"


CacheOf = Callable[[AskRequest], Cache | None]
"""From a question to where its answer is kept; None: nowhere."""


def cached(
    answering: Answerer, parts: tuple[LiveChunks, Generator], release: str, temperature: float, cache_of: CacheOf
) -> CachedAnswers:
    """Return what answers, with a memory.

    Args:
        answering: Answers without one.
        parts: Where collections are found, and what writes answers.
        release: Of the pipeline; part of each key, so that releases share the caches and never an answer.
        temperature: Of a model where the caller names none.
        cache_of: Where answers are kept.
    """
    live, generator = parts
    return CachedAnswers(answering, live.collection, CachePlan(release, _writer(generator), cache_of, temperature))


def _writer(generator: Generator) -> Callable[[AskRequest, Collection], str]:
    if not isinstance(generator, RoutedGenerator):
        return lambda _request, _collection: generator.name

    def first(request: AskRequest, collection: Collection) -> str:
        asked = GenerationRequest(request.question, (), may_leave=collection.may_leave, affinity=request.affinity)
        return generator.first_choice(asked)

    return first


def open_answer_caches(given: AnswerCacheSettings, stack: AsyncExitStack, *, traced: bool) -> CacheOf:
    """Return where answers are kept, and for how long; what is to be closed goes on `stack`.

    Raises:
        ConfigurationError: If the reference to the cache's address leads nowhere.
    """
    caches = {ttl_s: _open_cache(given, ttl_s, stack) for ttl_s in {given.ttl_s, *(rule.ttl_s for rule in given.rules)}}
    if traced:
        caches = {ttl_s: None if one is None else TracedCache(one) for ttl_s, one in caches.items()}

    def cache_of(request: AskRequest) -> Cache | None:
        words = set(_WORD.findall(request.question.casefold()))
        ttl_s = next((rule.ttl_s for rule in given.rules if _applies(rule, request, words)), given.ttl_s)
        return caches[ttl_s]

    return cache_of


def _applies(rule: AnswerCacheRule, request: AskRequest, words: set[str]) -> bool:
    if rule.collections and request.collection not in rule.collections:
        return False
    return not rule.words or any(word.casefold() in words for word in rule.words)


def _open_cache(given: AnswerCacheSettings, ttl_s: float, stack: AsyncExitStack) -> Cache | None:
    if not ttl_s:
        return None
    if given.url is not None:
        from ragstead.adapters.redis_cache import RedisCache  # noqa: PLC0415  (slow to import, and rarely asked for)

        shared = RedisCache(resolve_secret(given.url), ttl_s=ttl_s, prefix=_PREFIX)
        stack.push_async_callback(shared.close)
        return shared
    return MemoryCache(given.max_bytes, ttl_s=ttl_s) if given.max_bytes else None
