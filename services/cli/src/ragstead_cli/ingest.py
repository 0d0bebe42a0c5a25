"""`ragstead ingest`: files, folders and BEIR corpora in."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator, Sequence
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ragstead.errors import InvalidRequest
from ragstead_cli.output import Bar, console, progress_display, say
from ragstead_cli.verb import Invocation, verb

if TYPE_CHECKING:
    from ragstead_cli.uploads import Attributes, Report, Uploader


class Format(StrEnum):
    """How the paths are read."""

    FILES = "files"
    BEIR = "beir"


Paths = Annotated[list[Path], typer.Argument(help="Files and folders.", metavar="PATH...", show_default=False)]
Meta = Annotated[
    list[str] | None,
    typer.Option(
        "--meta",
        metavar="KEY=VALUE",
        help="Attribute for every document; may be repeated. 2024, 1.5, true and false are typed; "
        "quote a value as JSON ('\"2024\"') to keep it text.",
    ),
]
FormatOption = Annotated[
    Format,
    typer.Option(
        "--format",
        help="'beir' reads a folder's corpus.jsonl; values of metadata that are lists or objects become JSON text.",
    ),
]


async def ingest(invocation: Invocation, paths: Paths, meta: Meta = None, format_: FormatOption = Format.FILES) -> int:
    """Read files and folders, or BEIR corpora, into a collection, which is made if it is missing.

    Folders are read whole, hidden files aside. The same bytes again are left alone; a changed file replaces its
    document. Exits 1 where some documents failed; the rest are in.
    """
    from ragstead_cli.session import connect
    from ragstead_cli.uploads import Uploader

    attributes = typed_attributes(meta or [])
    _check(paths, format_)
    settings = invocation.settings()
    async with connect(invocation, settings) as api:
        uploader = Uploader(api, invocation.collection, attributes, max_bytes=settings.deployment.max_upload_bytes)
        report = await run(uploader, paths, format_)
    invocation.show(report.document(), lambda: show(report, invocation.collection))
    if not any(report.counts.values()):
        say("ragstead: no documents found in the paths given")
    return 1 if report.failures else 0


async def run(uploader: Uploader, paths: Sequence[Path], format_: Format) -> Report:
    """Hand everything in and wait for it, with a progress bar where stderr is a terminal."""
    return await handed_in(uploader, _sent(uploader, paths, format_))


async def handed_in(uploader: Uploader, sent: AsyncIterator[int]) -> Report:
    """Drive `sent` to its end and wait until all is settled, with progress on stderr."""
    with progress_display() as progress:
        sending, done = Bar(progress, "handing in"), 0
        async for count in sent:
            done += count
            sending.advance(count)
        sending.end(done)
        total = len(uploader.report.sent)
        indexing = Bar(progress, "indexing", total)
        return await uploader.settle(lambda left: indexing.reach(max(0, total - left)))


def typed_attributes(meta: Sequence[str]) -> Attributes:
    """Return `key=value` words as attributes; numbers, booleans and quoted strings are read as JSON has them.

    Raises:
        InvalidRequest: If a word has no `=`, or no key before it.
    """
    attributes: dict[str, str | float | bool] = {}
    for word in meta:
        key, separator, value = word.partition("=")
        if not (key.strip() and separator):
            raise InvalidRequest(f"--meta {word!r} must be key=value", param="--meta")
        attributes[key.strip()] = _typed(value)
    return attributes


def show(report: Report, collection: str) -> None:
    """Print a report for people."""
    out = console()
    counts = ", ".join(f"{n} {name}" for name, n in report.counts.items() if n) or "nothing"
    seconds = report.document()["seconds"]
    out.print(f"{collection}: {counts}; {report.chunks} chunks in {seconds:.1f} s")
    for failure in report.failures:
        out.print(f"  failed  {failure.path}: {failure.reason}")


def register(app: typer.Typer) -> None:
    """List the verb."""
    verb(app, "ingest", example="ragstead ingest handbook/ --meta team=people", collection=True)(ingest)


def _check(paths: Sequence[Path], format_: Format) -> None:
    """Say that a path is off before a platform is opened for it."""
    from ragstead_cli.beir import corpus_path
    from ragstead_cli.sources import find_sources

    find_sources(paths)
    if format_ is Format.BEIR:
        for path in paths:
            corpus_path(path)


def _sent(uploader: Uploader, paths: Sequence[Path], format_: Format) -> AsyncIterator[int]:
    from ragstead_cli.beir import corpus_path, read_corpus
    from ragstead_cli.sources import find_sources

    if format_ is Format.BEIR:
        return uploader.texts(chain.from_iterable(read_corpus(corpus_path(path)) for path in paths))
    return uploader.files(find_sources(paths))


def _typed(value: str) -> str | float | bool:
    try:
        read = json.loads(value)
    except ValueError:
        return value
    if isinstance(read, float) and not math.isfinite(read):
        return value
    return read if isinstance(read, (str, bool, int, float)) else value
