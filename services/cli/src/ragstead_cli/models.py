"""`ragstead models`: what answers, and the graphs it computes with."""

from __future__ import annotations

import logging

import typer

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


def export(invocation: Invocation) -> None:
    """Build the embedding graphs from the installed weights where they are missing, and verify them."""
    from ragstead.bootstrap.models import export_models

    log_in_lines(logging.ERROR)  # the quantiser warns of what does not concern a graph of ours
    files = export_models(invocation.settings())

    def for_people() -> None:
        for runtime, path in files.items():
            console().print(f"{runtime:12} {path}")

    invocation.show({"models": files}, for_people)


def register(app: typer.Typer) -> None:
    """List the verbs."""
    group = typer.Typer(help="List and build models.", rich_markup_mode=None)
    verb(group, "list", example="ragstead models list")(list_all)
    verb(group, "export", example="ragstead models export")(export)
    app.add_typer(group, name="models")
