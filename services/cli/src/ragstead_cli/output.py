"""What goes where: results to stdout, everything else to stderr."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
from typing import TYPE_CHECKING, Any, TextIO

from ragstead.surrogates import without_surrogates

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.console import Console
    from rich.progress import Progress


def print_json(document: Mapping[str, Any]) -> None:
    """Print one JSON document on stdout; lone surrogates and the like stand escaped."""
    sys.stdout.write(json.dumps(document, indent=2 if sys.stdout.isatty() else None) + "\n")
    sys.stdout.flush()


def say(message: str) -> None:
    """Print one line on stderr, whatever line ends and control characters the message holds."""
    line = " ".join(printable(message).split())
    _write(sys.stderr, line + "\n")


def printable(text: str) -> str:
    """Return the text without what a terminal would obey or an encoder refuse."""
    kept = "".join(char if char.isprintable() or char in "\n\t" else " " for char in text)
    return without_surrogates(kept)


class OneLine(logging.Formatter):
    """Formats a log record as one line, without its traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Return level, logger and the first line of the message."""
        message = " ".join(record.getMessage().split())
        return f"ragstead: {record.levelname.lower()}: {record.name}: {printable(message)}"


def log_in_lines(level: int = logging.WARNING) -> None:
    """Send logs of `level` and above to stderr, one line each."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine())
    logging.basicConfig(handlers=[handler], level=level)
    logging.getLogger("ragstead_serving").setLevel(logging.ERROR)  # what it refuses, the verb tells itself


_UNBOUNDED = 100_000


def console() -> Console:
    """Return the console for people's results, on stdout; it interprets no markup in them."""
    from rich.console import Console

    for_people = sys.stdout.isatty()
    width = None if for_people else _UNBOUNDED  # a table in a pipe is not cut
    return Console(markup=False, highlight=False, emoji=False, soft_wrap=not for_people, width=width)


class Bar:
    """One line of a progress display; does nothing where stderr is no terminal.

    Args:
        progress: The display, or None.
        description: What is going on.
        total: Number of steps; None where it is not known yet.
    """

    def __init__(self, progress: Progress | None, description: str, total: int | None = None) -> None:
        self._progress = progress
        self._task = progress.add_task(description, total=total) if progress is not None else None

    def advance(self, steps: int = 1) -> None:
        """Count steps done."""
        if self._progress is not None and self._task is not None:
            self._progress.advance(self._task, steps)

    def reach(self, done: int) -> None:
        """Say how many steps are done altogether."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=done)

    def end(self, total: int) -> None:
        """Say that these were all steps, and are done."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, total=total, completed=total)


@contextlib.contextmanager
def progress_display() -> Iterator[Progress | None]:
    """Show progress on stderr while the block runs; None where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield None  # and rich is not imported
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield progress


def _write(stream: TextIO, text: str) -> None:
    encoding = stream.encoding or "utf-8"
    stream.write(text.encode(encoding, "replace").decode(encoding))
    stream.flush()
