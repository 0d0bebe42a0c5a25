"""Which release a platform answers with: the configuration's, or the champion where it follows one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass

from ragstead.adapters.release_file import ReleaseFile
from ragstead.bootstrap.blueprints import configured
from ragstead.bootstrap.composition import Composer
from ragstead.errors import RagsteadError
from ragstead.pipelines.following import ChampionFollower, FollowingParts
from ragstead.pipelines.live_release import Composition, LiveRelease
from ragstead.ports.registry import Champions, Release, ServedRelease
from ragstead.ports.work_pool import WorkPool
from ragstead.settings import Settings, resolve_secret

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Serving:
    """Which release a platform answers with; the configuration's pipeline where nothing is said.

    Attributes:
        release: This one, and no other.
        champion: Whether the champion that was followed last goes before the configuration, where there is one and
            `deployment.mlflow.follow` does not say otherwise.
        mlflow_url: With `champion`, of the server whose champion is followed from then on; None: nobody's.
    """

    release: Release | None = None
    champion: bool = False
    mlflow_url: str | None = None


async def open_live_release(
    composer: Composer, pool: WorkPool, stack: AsyncExitStack, serving: Serving
) -> tuple[LiveRelease, ChampionFollower | None]:
    """Return what passes requests to the live release, and what follows the champion, if anything does.

    Args:
        composer: Composes releases.
        pool: Where files are read and written.
        stack: Closed when no more requests come.
        serving: Which release that is.

    Raises:
        ConfigurationError: If the configuration asks for what this build or machine can't do.
        Conflict: If the one release that it is to be can't be honoured.
    """
    if serving.release is not None:
        live = LiveRelease(await composer.of_release(serving.release))
        stack.push_async_callback(live.close)
        return live, None
    settings, ground = composer.foundations.settings, composer.foundations.ground
    own = configured(settings, ground.index)
    file = ReleaseFile(settings.deployment.data_dir, pool)
    follows = serving.champion and settings.deployment.mlflow.follow
    served = await file.read() if serving.champion else None
    kept = served.champion if served is not None else None
    followed = await _honoured(composer, kept) if kept is not None and follows else None
    champions = _open_champions(settings, serving.mlflow_url, stack) if serving.mlflow_url is not None else None
    live = LiveRelease(followed or await composer.of_blueprint(own), _named(composer, champions))
    stack.push_async_callback(live.close)

    async def compose(release: Release | None) -> Composition:
        return await (composer.of_blueprint(own) if release is None else composer.of_release(release))

    async def keep(release: Release | None) -> None:
        try:
            await file.write(ServedRelease(live.release_id, own.release.release_id, ground, release))
        except RagsteadError as error:
            _log.warning("the next start will not know of release %s: %s", live.release_id, error)

    if serving.champion:
        await keep(kept)
    if not follows or champions is None:
        return live, None
    parts = FollowingParts(champions, compose, keep, live)
    seen = kept.release_id if kept is not None and followed is not None else None
    follower = ChampionFollower(parts, settings.deployment.mlflow.poll_s, seen)
    following = asyncio.create_task(follower.run(), name="champion")
    stack.push_async_callback(_stopped, following)
    return live, follower


def _named(composer: Composer, champions: Champions | None) -> Callable[[str], Awaitable[Composition]] | None:
    """Return what composes releases that requests name."""
    if champions is None:
        return None

    async def compose(release_id: str) -> Composition:
        return await composer.of_release(await champions.release(release_id))

    return compose


async def _honoured(composer: Composer, release: Release) -> Composition | None:
    try:
        return await composer.of_release(release)
    except RagsteadError as error:
        _log.warning("the champion %s is not served, the configuration's pipeline is: %s", release.release_id, error)
        return None


def _open_champions(settings: Settings, url: str, stack: AsyncExitStack) -> Champions:
    from ragstead.adapters.mlflow.champions import MlflowChampions  # noqa: PLC0415  (httpx, when it is needed)

    mlflow = settings.deployment.mlflow
    token = resolve_secret(mlflow.token) if mlflow.token else None
    champions = MlflowChampions(url, token, mlflow.timeout_s)
    stack.push_async_callback(champions.close)
    return champions


async def _stopped(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
