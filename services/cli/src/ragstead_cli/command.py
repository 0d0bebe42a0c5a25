"""The `ragstead` command: its verbs, and what leaves the process when one fails."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Sequence

import typer

from ragstead.errors import (
    Forbidden,
    GateRefused,
    InvalidRequest,
    NotFound,
    Overloaded,
    RagsteadError,
    TooLarge,
    Unauthenticated,
    Unavailable,
)
from ragstead_cli import ask, configuration, doctor, documents, evaluate, ingest, models, release, replay, search, serve
from ragstead_cli.errors import Missing
from ragstead_cli.output import say

FAILED, BAD_INPUT, REFUSED, UNREACHABLE = 1, 2, 3, 4

# httpx looks for its own command line, with click, rich and pygments, and does without: a third of a verb's start.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]

_CALLERS_FAULT = (InvalidRequest, NotFound, Missing, TooLarge, Unauthenticated, Forbidden)

app = typer.Typer(
    name="ragstead",
    help="A self-hosted RAG platform: documents in, answers with checked evidence out.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for part in (serve, ingest, documents, search, ask, evaluate, release, replay, models, doctor, configuration):
    part.register(app)


def run(words: Sequence[str]) -> int:
    """Run one verb and return the exit code; errors are one line on stderr, never a traceback."""
    try:
        code = app(args=list(words) or ["--help"], prog_name="ragstead", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter complains at exit
        return FAILED
    except Exception as error:  # noqa: BLE001 - the outermost loop of the process: a defect is told in one line
        message, code = _told(error)
        say(f"ragstead: {message}")
    return int(code or 0)


def exit_code(error: RagsteadError) -> int:
    """Return the exit code that CONTRACT's table gives the error."""
    if isinstance(error, (Unavailable, Overloaded)):
        return UNREACHABLE
    if isinstance(error, GateRefused):
        return REFUSED
    return BAD_INPUT if isinstance(error, _CALLERS_FAULT) else FAILED


def _told(error: Exception) -> tuple[str, int]:
    """Return the line and the exit code of what ended the verb."""
    if isinstance(error, typer.TyperException):
        message = error.format_message().replace("Value error, ", "").rstrip(".")
        return f"{message}; `ragstead --help` shows how", BAD_INPUT
    if isinstance(error, RagsteadError):
        return str(error), exit_code(error)
    if isinstance(error, OSError):
        return str(error), FAILED
    return f"unexpected {type(error).__name__}: {error}; details in {_details()}", FAILED


def _details() -> str:
    with tempfile.NamedTemporaryFile(
        "w", prefix="ragstead-error-", suffix=".txt", delete=False, encoding="utf-8", errors="replace"
    ) as file:
        file.write(traceback.format_exc())
    return file.name
