"""Platforms that evaluations open for themselves, and what their answers are held against."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from ragstead.bootstrap.judging import grounding
from ragstead.bootstrap.live import Serving
from ragstead.bootstrap.platform import Platform, open_platform
from ragstead.errors import ConfigurationError
from ragstead.evaluation.ranked_queries import RankedSet
from ragstead.evaluation.scoring import Yardstick
from ragstead.evaluation.suites import Suite, documents_folder
from ragstead.pipelines.evaluate import source_documents
from ragstead.pipelines.evaluated_platform import PlatformParts, PlatformSystem
from ragstead.ports.evaluated import SourceDocument
from ragstead.ports.registry import Release
from ragstead.sentences import spans
from ragstead.settings import AnswerCacheSettings, LiveScoringSettings, Settings, resolve_secret
from ragstead.settings.tracing import TracingSettings

COLLECTION = "default"
"""Where a suite's questions are asked on a platform of its own."""
PLANTED = "eval-canaries"
"""Where the documents with canaries are, which no question may reach."""
_REFERENCE = re.compile(r"env:\w+|file:.+")


def yardstick(suite: Suite, *settings: Settings) -> Yardstick:
    """Return what a suite's answers are held against; secrets that the settings refer to are canaries too."""
    canaries = dict.fromkeys([*suite.canaries, *(secret for one in settings for secret in secrets_of(one))])
    return Yardstick(grounding, spans, tuple(canaries))


def secrets_of(settings: Settings) -> list[str]:
    """Return the secrets that the settings refer to, as far as they are there."""
    found = []
    for reference in _references(settings.deployment.model_dump(mode="json")):
        try:
            found.append(resolve_secret(reference))
        except ConfigurationError:  # of a part that is not asked here; one that is says so itself
            continue
    return found


def isolated(settings: Settings, data_dir: Path) -> Settings:
    """Return settings of a platform with the same pipeline and stores of its own: nothing kept, traced or scored."""
    deployment = settings.deployment
    embedding = deployment.embedding.model_copy(update={"cache_url": None})
    own = {
        "data_dir": data_dir,
        "metadata_url": None,
        "milvus_uri": None,
        "answer_cache": AnswerCacheSettings(max_bytes=0),
        "embedding": embedding,
        "tracing": TracingSettings(mlflow=False),
        "live_scoring": LiveScoringSettings(),
    }
    return settings.model_copy(update={"deployment": deployment.model_copy(update=own)})


def system_of(platform: Platform, *, agent: bool = False) -> PlatformSystem:
    """Return an open platform as evaluations see it; its agent where that is asked for."""
    parts = PlatformParts(
        platform.answerer, platform.retriever, platform.ingestor, platform.collections, platform.documents
    )
    return PlatformSystem(parts, platform.answerer.release_id, agent=agent)


@asynccontextmanager
async def open_system(
    settings: Settings, suite: Suite, path: Path, release: Release | None = None
) -> AsyncIterator[PlatformSystem]:
    """Run a platform of the same pipeline in a folder that goes away, with the suite's documents taken in.

    Args:
        settings: Whose pipeline; its stores are not touched.
        suite: Whose documents.
        path: The suite's file, beside or above which its documents are.
        release: What is served, with its prompts and weights; None for what the settings come to.

    Raises:
        InvalidRequest: If the suite's documents are not there, or can't be indexed.
        ConfigurationError: If the settings ask for what this build or machine can't do.
    """
    documents = suite_documents(suite, path)
    async with _open_own(settings, release, {"egress": suite.egress} if suite.egress else {}) as system:
        await system.take_in(COLLECTION, documents)
        if suite.planted:
            await system.take_in(PLANTED, source_documents(suite.planted))
        yield system


@asynccontextmanager
async def open_ranked(
    settings: Settings, ranked: RankedSet, release: Release | None = None
) -> AsyncIterator[PlatformSystem]:
    """Run a platform of the same pipeline in a folder that goes away, with the documents of judged queries taken in.

    Args:
        settings: Whose pipeline; its stores are not touched.
        ranked: Whose documents.
        release: What is served; None for what the settings come to.

    Raises:
        InvalidRequest: If a document can't be read or indexed.
        ConfigurationError: If the settings ask for what this build or machine can't do.
    """
    async with _open_own(settings, release, {}) as system:
        await system.take_in(COLLECTION, await asyncio.to_thread(lambda: list(ranked.documents())))
        yield system


@asynccontextmanager
async def _open_own(
    settings: Settings, release: Release | None, metadata: Mapping[str, str]
) -> AsyncIterator[PlatformSystem]:
    """Run a platform with one empty collection in a folder that goes away."""
    with tempfile.TemporaryDirectory(prefix="ragstead-eval-", ignore_cleanup_errors=True) as folder:
        async with open_platform(isolated(settings, Path(folder)), Serving(release)) as platform:
            await platform.create_collection(COLLECTION, metadata)
            yield system_of(platform)


def suite_documents(suite: Suite, path: Path) -> list[SourceDocument]:
    """Return the files of a suite's folder of documents, by their path in it; none where it names no folder.

    Raises:
        InvalidRequest: If the folder is not there.
    """
    folder = documents_folder(suite, path)
    files = sorted(one for one in folder.rglob("*") if one.is_file()) if folder is not None else []
    read = partial(_document, folder or Path())
    return [read(one) for one in files if not one.name.startswith(".")]


def _document(folder: Path, file: Path) -> SourceDocument:
    return SourceDocument(file.relative_to(folder).as_posix(), file.read_bytes())


def _references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for one in value.values():
            yield from _references(one)
    elif isinstance(value, list):
        for one in value:
            yield from _references(one)
    elif isinstance(value, str) and _REFERENCE.fullmatch(value):
        yield value
