"""Releases from the outside: made of a configuration, kept in MLflow, promoted where the live platform takes them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

from ragstead.adapters.git import commit_of
from ragstead.adapters.release_file import read_served
from ragstead.adapters.thread_pool import ThreadWorkPool
from ragstead.bootstrap.blueprints import blueprint_of, configured, ground_of, provenance_here, settings_of
from ragstead.bootstrap.embedding import open_embedding
from ragstead.bootstrap.mlflow import Mlflow, prompts_of
from ragstead.bootstrap.plans import index_identity_of
from ragstead.errors import Conflict
from ragstead.pipelines.releasing import ReleasePipeline
from ragstead.ports.registry import Ground, RegisteredRelease, Release, ServedRelease
from ragstead.settings import Settings


async def create_release(
    settings: Settings, mlflow: Mlflow, *, notes: str = "", collections: Mapping[str, int] | None = None
) -> RegisteredRelease:
    """Keep the configuration's pipeline as a release; the same one again is the same version.

    Args:
        settings: The configuration.
        mlflow: Where it is kept.
        notes: The words of who makes it.
        collections: Versions of the collections that there are, where they are known.

    Raises:
        ConfigurationError: If the configuration asks for what this build or machine can't do.
        Unavailable: If the embedding model can't be had, or MLflow not be reached.
    """
    provenance = provenance_here(collections, commit=commit_of(Path(__file__)))
    blueprint = configured(settings, await _identity(settings), replace(provenance, notes=notes))
    return await mlflow.registry.register(blueprint.release, prompts_of(blueprint))


async def configured_release(settings: Settings) -> Release:
    """Return the release that the configuration comes to, which may be kept nowhere.

    Raises:
        ConfigurationError: If the configuration asks for what this build or machine can't do.
        Unavailable: If the embedding model can't be had.
    """
    return configured(settings, await _identity(settings)).release


def served_release(settings: Settings) -> ServedRelease | None:
    """Return what the platform on the data directory serves, or served last; None where that is not told."""
    return read_served(settings.deployment.data_dir)


def served_settings(settings: Settings) -> Settings:
    """Return the settings with the pipeline that the platform on the data directory answers with: the champion's."""
    served = served_release(settings)
    if served is None or served.champion is None or served.live != served.champion.release_id:
        return settings
    try:
        return settings_of(served.champion, settings)
    except Conflict:  # another version's, which runs there and can't be read here
        return settings


async def open_release_pipeline(settings: Settings, mlflow: Mlflow) -> ReleasePipeline:
    """Return what changes the champion.

    A release has to fit the platform on the data directory, as it runs or ran last; where none ever did, the one that
    the configuration would start.

    Raises:
        ConfigurationError: If the configuration asks for what this build or machine can't do.
        Unavailable: If the embedding model can't be had.
    """
    ground = await _ground(settings)

    def fits(release: Release) -> None:
        blueprint_of(release, settings, ground)

    return ReleasePipeline(mlflow.registry, mlflow.registry, fits)


async def _ground(settings: Settings) -> Ground:
    served = served_release(settings)
    return served.ground if served is not None else ground_of(settings, await _identity(settings))


async def _identity(settings: Settings) -> str:
    """Return what a platform on these settings makes indexes with; its embedding model is opened to see."""
    async with AsyncExitStack() as stack:
        pool = ThreadWorkPool(settings.deployment.threads + 1)
        stack.callback(pool.close)
        embedding = await open_embedding(settings, pool, stack)
        return index_identity_of(settings, embedding.pipeline.identity)
