"""`ragstead documents`: what is in a collection."""

from __future__ import annotations

from typing import Annotated

import typer

from ragstead_cli.output import console
from ragstead_cli.verb import Invocation, verb

DocumentIdArgument = Annotated[str, typer.Argument(help="Id, as `documents list` shows it.", metavar="ID")]
TextOption = Annotated[bool, typer.Option("--text", help="Show the extracted text too.")]


async def list_all(invocation: Invocation) -> None:
    """List the documents of a collection with their states."""
    from ragstead_cli.session import connect
    from ragstead_cli.uploads import list_documents

    async with connect(invocation, finds=True) as api:
        views = [view async for view in list_documents(api, invocation.collection)]
    for view in views:
        view.pop("text", None)

    def for_people() -> None:
        from rich.table import Table

        table = Table(box=None, pad_edge=False)
        whole = max((len(view["document_id"]) for view in views), default=0)  # as the other verbs take it
        table.add_column("document", no_wrap=True, min_width=whole)
        for name in ("state", "pages", "chunks", "title"):
            table.add_column(name, no_wrap=True)
        for view in views:
            pages = "" if view["pages"] is None else str(view["pages"])
            state = f"{view['state']}: {view['reason']}" if view["reason"] else view["state"]
            table.add_row(view["document_id"], state, pages, str(view["chunks"]), view["title"])
        console().print(table)

    invocation.show({"documents": views}, for_people)


async def show(invocation: Invocation, document_id: DocumentIdArgument, text: TextOption = False) -> None:
    """Show one document, and with --text what was extracted from it."""
    from ragstead_cli.api import store_path
    from ragstead_cli.session import connect

    async with connect(invocation, finds=True) as api:
        path = store_path(invocation.collection, "documents", document_id)
        view = await api.get(path, **({"text": "true"} if text else {}))
    if not text:
        view.pop("text", None)

    def for_people() -> None:
        out = console()
        for name, value in view.items():
            if name != "text" and value not in (None, "", {}):
                out.print(f"{name:12} {value}")
        if text:
            out.print()
            out.print(view["text"] or "")

    invocation.show(view, for_people)


async def delete(invocation: Invocation, document_id: DocumentIdArgument) -> None:
    """Delete one document; no search finds it any more when this returns."""
    from ragstead_cli.api import store_path
    from ragstead_cli.session import connect

    async with connect(invocation, finds=True) as api:
        await api.send("DELETE", store_path(invocation.collection, "documents", document_id))
    invocation.show({"document_id": document_id, "deleted": True}, lambda: console().print(f"deleted {document_id}"))


def register(app: typer.Typer) -> None:
    """List the verbs."""
    group = typer.Typer(help="List, show and delete documents.", rich_markup_mode=None)
    verb(group, "list", example="ragstead documents list --json", collection=True)(list_all)
    verb(group, "show", example="ragstead documents show leave.md-1f2e3d4c --text", collection=True)(show)
    verb(group, "delete", example="ragstead documents delete leave.md-1f2e3d4c", collection=True)(delete)
    app.add_typer(group, name="documents")
