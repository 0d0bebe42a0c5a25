"""How a verb is declared: the options that all share, and what it is handed."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ragstead.errors import InvalidRequest
from ragstead.model import COLLECTION_NAME, COLLECTION_NAME_CHARS
from ragstead_cli.output import print_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ragstead.settings import Settings

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
ConfigOption = Annotated[Path | None, typer.Option("--config", help="Configuration file.", metavar="FILE")]
DataDirOption = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Data directory; default .ragstead, or RAGSTEAD_DATA_DIR.", metavar="DIR"),
]
JudgeOption = Annotated[
    str | None,
    typer.Option(
        "--judge",
        metavar="METRIC,...|all",
        help="Have the answers judged by deployment.judging.model too, with DeepEval's metrics, each several times.",
    ),
]
CollectionOption = Annotated[str, typer.Option("--collection", help="Collection of the documents.", metavar="NAME")]

Implementation = Callable[..., int | Coroutine[Any, Any, int | None] | None]


@dataclass(frozen=True, slots=True)
class Invocation:
    """What every verb is handed beside its own arguments.

    Attributes:
        json: Whether the result is one JSON document.
        config: The configuration file, or None for the defaults.
        data_dir: Overrides the configuration's.
        collection: The collection meant.
        judge: In which respects answers are to be judged, as it was typed; None: in none.
    """

    json: bool
    config: Path | None
    data_dir: Path | None
    collection: str = "default"
    judge: str | None = None

    def __post_init__(self) -> None:
        if len(self.collection) > COLLECTION_NAME_CHARS or not re.fullmatch(COLLECTION_NAME, self.collection):
            raise InvalidRequest(
                f"--collection {self.collection!r} is no name: 1 to {COLLECTION_NAME_CHARS} letters, digits, `_`, `.`, "
                "`-` and spaces, of which a letter, digit or `_` comes first",
                param="--collection",
            )

    def settings(self) -> Settings:
        """Read the settings.

        Raises:
            ConfigurationError: If the file is not there or off.
        """
        from ragstead.settings import load_settings

        return load_settings(self.config, data_dir=self.data_dir, environ=self.environ)

    @property
    def environ(self) -> Mapping[str, str]:
        """The environment, which the command line reads here alone."""
        return os.environ

    def show(self, document: Mapping[str, Any], for_people: Callable[[], None]) -> None:
        """Print the result: the document as JSON where that was asked for, else what `for_people` prints."""
        if self.json:
            print_json(document)
        else:
            for_people()


def verb(
    app: typer.Typer, name: str, *, example: str, collection: bool = False, judge: bool = False
) -> Callable[[Implementation], Implementation]:
    """Register a function, sync or async, as the verb `name`.

    Its first parameter is the `Invocation`; the shared options are added to its own. It returns the exit code, or
    None for 0.

    Args:
        app: Where it is listed.
        name: What people type.
        example: Stands under the verb's help.
        collection: Whether it takes `--collection`.
        judge: Whether it takes `--judge`.
    """
    wanted = [option for option, takes in (("collection", collection), ("judge", judge)) if takes]

    def register(function: Implementation) -> Implementation:
        def call(*, json_output: bool, config: Path | None, data_dir: Path | None, **given: object) -> int | None:
            meant = str(given.pop("collection")) if collection else "default"
            judged_in = given.pop("judge") if judge else None
            invocation = Invocation(json_output, config, data_dir, meant, None if judged_in is None else str(judged_in))
            done = function(invocation, **given)
            if done is None or isinstance(done, int):
                return done
            import asyncio

            return asyncio.run(done)

        parameters = _parameters(function, wanted)
        call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        app.command(name, help=inspect.getdoc(function), epilog=f"Example: {example}")(call)
        return function

    return register


def _parameters(function: Implementation, wanted: Sequence[str]) -> list[inspect.Parameter]:
    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    optional: dict[str, tuple[Any, object]] = {
        "collection": (CollectionOption, "default"),
        "judge": (JudgeOption, None),
    }
    shared: list[tuple[str, Any, object]] = [(name, *optional[name]) for name in wanted]
    shared += [
        ("json_output", JsonOption, False),
        ("config", ConfigOption, None),
        ("data_dir", DataDirOption, None),
    ]
    kind = inspect.Parameter.KEYWORD_ONLY
    return [parameter.replace(kind=kind) for parameter in own] + [
        inspect.Parameter(name, kind, annotation=annotation, default=default) for name, annotation, default in shared
    ]
