"""What goes where: results to stdout, everything else to stderr."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    return kept.encode("utf-8", "replace").decode("utf-8")


def console() -> Console:
    """Return the console for people's results, on stdout; it interprets no markup in them."""
    from rich.console import Console

    return Console(markup=False, highlight=False, emoji=False, soft_wrap=not sys.stdout.isatty())


def progress_bar(*, enabled: bool = True) -> Progress:
    """Return a progress display on stderr, silent where stderr is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        disable=not (enabled and sys.stderr.isatty()),
    )


def _write(stream: TextIO, text: str) -> None:
    encoding = stream.encoding or "utf-8"
    stream.write(text.encode(encoding, "replace").decode(encoding))
    stream.flush()
