"""`ragstead models`: what answers, and the graphs it computes with."""

from __future__ import annotations

import logging
from typing import Annotated

import typer

from ragstead.errors import InvalidRequest
from ragstead_cli.output import console, log_in_lines
from ragstead_cli.verb import Invocation, verb


async def list_all(invocation: Invocation) -> None:
    """List what a request's `model` may name, with what each can do."""
    from ragstead_cli.session import connect

    async with connect(invocation) as api:
        served = (await api.get("/v1/models"))["data"]
    models = [{"id": model["id"], "capabilities": model["capabilities"]} for model in served]

    def for_people() -> None:
        for model in models:
            can = ", ".join(name for name, able in model["capabilities"].items() if able) or "nothing beyond text"
            console().print(f"{model['id']:24} {can}")

    invocation.show({"models": models}, for_people)


def export(
    invocation: Invocation,
    model: Annotated[str, typer.Option(help="One of pipeline.embedder.models; the configured one if left out.")] = "",
    runtime: Annotated[list[str], typer.Option(help="onnx-int8 or onnx-fp32; both if left out.")] = [],  # noqa: B006
) -> None:
    """Build a model's embedding graphs from its weights where they are missing, and prove them."""
    from ragstead.bootstrap.models import GRAPH_RUNTIMES, export_models

    settings = invocation.settings()
    known = settings.pipeline.embedder.models
    if model and model not in known:
        raise InvalidRequest(f"there is no model {model!r}; there are {', '.join(known)}", param="--model")
    strange = next((one for one in runtime if one not in GRAPH_RUNTIMES), None)
    if strange is not None:
        raise InvalidRequest(f"{strange!r} is none of {', '.join(GRAPH_RUNTIMES)}", param="--runtime")
    log_in_lines(logging.ERROR)  # the quantiser warns of what does not concern a graph of ours
    files = export_models(settings, model or None, runtime or GRAPH_RUNTIMES)

    def for_people() -> None:
        for name, path in files.items():
            console().print(f"{name:12} {path}")

    invocation.show({"models": files}, for_people)


def register(app: typer.Typer) -> None:
    """List the verbs."""
    group = typer.Typer(help="List and build models.", rich_markup_mode=None)
    verb(group, "list", example="ragstead models list")(list_all)
    verb(group, "export", example="ragstead models export --model bge-large-en-v1.5")(export)
    app.add_typer(group, name="models")
