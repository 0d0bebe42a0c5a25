"""What can be found wrong with a data directory and its models."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ragstead.adapters.sqlalchemy_metadata.schema import HEAD
from ragstead.errors import RagsteadError
from ragstead.settings import Settings

if TYPE_CHECKING:
    from ragstead.bootstrap.platform import Platform

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check came to.

    Attributes:
        check: What was looked at.
        status: `warn` where it works and should not stay so.
        detail: What was found.
        mend: What to do; empty where nothing is to be done.
    """

    check: str
    status: Literal["ok", "warn", "fail"]
    detail: str
    mend: str = ""


def examine_database(settings: Settings) -> Finding:
    """Check the embedded database's pages and its migration level, reading alone; a platform may run on it."""
    path = settings.deployment.data_dir / "metadata.db"
    if settings.deployment.metadata_url is not None:
        return Finding("database", "ok", "is a server's; the platform's readiness speaks for it")
    if not path.exists():
        return Finding("database", "ok", "not there yet; made with the first document")
    try:
        with sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10) as connection:
            trouble = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            level = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        connection.close()
    except sqlite3.Error as exc:
        return Finding("database", "fail", f"{path} can't be read: {exc}", "restore it from a backup")
    if trouble != "ok":
        return Finding("database", "fail", f"{path} is damaged: {trouble}", "restore it from a backup")
    if level is None or level[0] > HEAD:
        found = level[0] if level else "none"
        return Finding("database", "fail", f"is at migration {found}, this build knows {HEAD}", "update Ragstead")
    state = "is whole" if level[0] == HEAD else f"is whole, at migration {level[0]}, and is migrated when next opened"
    return Finding("database", "ok", f"{state}; migration {HEAD}")


def examine_models(settings: Settings) -> Finding:
    """Check that the configured model's graphs reproduce the vectors that were recorded when they were made."""
    from ragstead.bootstrap.models import verify_models  # noqa: PLC0415  (imports ONNX Runtime)

    embedder, remote = settings.pipeline.embedder, settings.deployment.embedding.remote
    if remote is not None or not embedder.runtime.startswith("onnx"):
        where = f"runs at {remote.url}" if remote else f"runs on {embedder.runtime}"
        return Finding("models", "ok", f"{embedder.model} {where}; it has no graph here")
    mend = "ragstead models export"
    try:
        cosines = verify_models(settings)
    except RagsteadError as exc:
        return Finding("models", "fail", str(exc), f"delete {settings.deployment.models_dir}, then {mend}")
    if not cosines:
        return Finding("models", "warn", f"no graph in {settings.deployment.models_dir} yet", mend)
    shown = ", ".join(f"{runtime} at cosine {cosine:.4f} or more" for runtime, cosine in cosines.items())
    return Finding("models", "ok", f"the graphs reproduce the reference: {shown}")


async def examine_indexes(platform: Platform) -> list[Finding]:
    """Compare for each collection the chunks that the database counts with those that both indexes hold."""
    return [
        await _examine_index(platform, collection.collection_id, collection.name, collection.index_name)
        for collection in await platform.collections.list()
    ]


async def _examine_index(platform: Platform, collection_id: str, name: str, index_name: str) -> Finding:
    counted = await _count_chunks(platform, collection_id)
    try:
        contents = (await platform.indexes.open(index_name)).contents
        vectors, lexical = [len(await side.keys()) for side in contents]
    except RagsteadError as exc:
        return Finding(f"index {name}", "fail", str(exc), "see the message")
    detail = f"{counted} chunks in the database, {vectors} vectors, {lexical} in BM25"
    if min(vectors, lexical) < counted:
        mark = platform.settings.deployment.data_dir / "running"
        mend = f"touch {mark}; the next command makes the indexes hold what the database says"
        return Finding(f"index {name}", "fail", detail, mend)
    if max(vectors, lexical) > counted:
        return Finding(f"index {name}", "warn", f"{detail}: some wait to be swept", "let the platform run a while")
    return Finding(f"index {name}", "ok", detail)


async def _count_chunks(platform: Platform, collection_id: str) -> int:
    total, after = 0, None
    while True:
        page = await platform.documents.list(collection_id, limit=_PAGE, after=after)
        total += sum(document.chunks for document in page)
        if len(page) < _PAGE:
            return total
        after = page[-1].document_id
