"""`ragstead release`: versions of the whole pipeline, in MLflow."""

from __future__ import annotations

import contextlib
import getpass
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ragstead.errors import InvalidRequest
from ragstead_cli.output import console, printable
from ragstead_cli.verb import Invocation, verb

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from ragstead.bootstrap.mlflow import Mlflow
    from ragstead.ports.registry import Promotion, RegisteredRelease, ServedRelease
    from ragstead.releases import Difference
    from ragstead.settings import Settings

_LONGEST = 100

NameArgument = Annotated[
    str, typer.Argument(help="Id of a release, or an alias: champion, candidate.", metavar="RELEASE")
]
NotesOption = Annotated[str, typer.Option("--notes", metavar="TEXT", help="What is new in it, for people.")]
ByOption = Annotated[str, typer.Option("--by", metavar="WHO", help="Who does it; the system's user if not given.")]
WhyOption = Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason, for the audit trail.")]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Go against the gate's refusal, or without its verdict; needs --why.")
]


async def create(invocation: Invocation, notes: NotesOption = "") -> None:
    """Keep the configuration's pipeline as a release; the same one twice is one version."""
    from ragstead.bootstrap.releasing import create_release

    settings = invocation.settings()
    async with _mlflow(settings) as mlflow:
        collections = await _collections(invocation, settings)
        kept = await create_release(settings, mlflow, notes=notes, collections=collections)
    document = _view(kept)
    line = f"{document['release']} is version {kept.version}; next: ragstead eval gate, then ragstead release promote"
    invocation.show(document, lambda: console().print(line))


async def list_all(invocation: Invocation) -> None:
    """List the releases, newest first, and the record of promotions."""
    from ragstead.bootstrap.releasing import served_release

    settings = invocation.settings()
    async with _mlflow(settings) as mlflow:
        releases, trail = await mlflow.registry.list(), await mlflow.registry.trail()
    document = {
        "releases": [_view(one) for one in releases],
        "promotions": [_entry(one) for one in trail],
        "served": _served(served_release(settings)),
    }
    invocation.show(document, lambda: _show_list(document))


async def show(invocation: Invocation, name: NameArgument) -> None:
    """Show a release with its manifest, its runs and its promotions."""
    async with _mlflow(invocation.settings()) as mlflow:
        kept = await mlflow.registry.find(name)
        release_id = kept.release.release_id
        trail = [one for one in await mlflow.registry.trail() if release_id in (one.to, one.origin)]
        runs = await mlflow.experiments.runs(release_id)
    document = {
        **_view(kept),
        "promotions": [_entry(one) for one in trail],
        "runs": [
            {"run_id": one.run_id, "experiment": one.experiment, "name": one.name, "metrics": dict(one.metrics)}
            for one in runs
        ],
        "manifest": kept.release.manifest,
    }

    def for_people() -> None:
        import yaml

        shown = {name: value for name, value in document.items() if name != "manifest"}
        manifest = {name: value for name, value in kept.release.manifest.items() if name != "weights"}
        text = yaml.safe_dump({**shown, "manifest": manifest}, sort_keys=False, allow_unicode=True, width=110)
        console().print(printable(text.rstrip()))

    invocation.show(document, for_people)


async def diff(
    invocation: Invocation,
    old: NameArgument,
    new: Annotated[str, typer.Argument(help="Another; the configuration's if left out.", metavar="[RELEASE]")] = "",
) -> None:
    """Show what differs between two releases, or between one and the configuration."""
    from ragstead.bootstrap.releasing import configured_release
    from ragstead.releases import differences

    settings = invocation.settings()
    async with _mlflow(settings) as mlflow:
        before = (await mlflow.registry.find(old)).release
        after = (await mlflow.registry.find(new)).release if new else await configured_release(settings)
    found = differences(before.manifest, after.manifest)
    document = {
        "old": before.release_id,
        "new": after.release_id,
        "differences": [{"path": one.path, "old": one.old, "new": one.new} for one in found],
    }
    invocation.show(document, lambda: _show_differences(before.release_id, after.release_id, found))


async def promote(
    invocation: Invocation, name: NameArgument, force: ForceOption = False, why: WhyOption = "", by: ByOption = ""
) -> None:
    """Make a release the champion, which running platforms follow; what the gate refused is refused (exit 3)."""
    from ragstead.bootstrap.releasing import open_release_pipeline
    from ragstead.pipelines.releasing import Asked

    settings = invocation.settings()
    async with _mlflow(settings) as mlflow:
        entry = await (await open_release_pipeline(settings, mlflow)).promote(name, Asked(_who(by), why, force))
        release_id = entry.to if entry is not None else (await mlflow.registry.find(name)).release.release_id
    document = {"champion": release_id, "changed": entry is not None, "promotion": _entry(entry) if entry else None}
    line = f"{release_id} is the champion" if entry else f"{release_id} is the champion already"
    invocation.show(document, lambda: console().print(line))


async def release_id_of(invocation: Invocation, name: str) -> str:
    """Return the id of a release that is named by it, or by an alias, which MLflow is then asked for.

    Raises:
        NotFound: If no release is called so.
    """
    if name.startswith("r-"):
        return name
    async with _mlflow(invocation.settings()) as mlflow:
        return (await mlflow.registry.find(name)).release.release_id


async def rollback(invocation: Invocation, why: WhyOption = "", by: ByOption = "") -> None:
    """Make the champion before this one the champion again."""
    from ragstead.bootstrap.releasing import open_release_pipeline
    from ragstead.pipelines.releasing import Asked

    settings = invocation.settings()
    async with _mlflow(settings) as mlflow:
        entry = await (await open_release_pipeline(settings, mlflow)).rollback(Asked(_who(by), why))
    document = {"champion": entry.to, "changed": True, "promotion": _entry(entry)}
    invocation.show(document, lambda: console().print(f"{entry.to} is the champion again, in place of {entry.origin}"))


def register(app: typer.Typer) -> None:
    """List the verbs."""
    group = typer.Typer(help="Versions of the whole pipeline, in MLflow.", rich_markup_mode=None)
    verb(group, "create", example='ragstead release create --config new.yaml --notes "more candidates"')(create)
    verb(group, "list", example="ragstead release list --json")(list_all)
    verb(group, "show", example="ragstead release show champion")(show)
    verb(group, "diff", example="ragstead release diff champion candidate")(diff)
    verb(group, "promote", example="ragstead release promote candidate")(promote)
    verb(group, "rollback", example='ragstead release rollback --why "worse on tables"')(rollback)
    app.add_typer(group, name="release")


@contextlib.asynccontextmanager
async def _mlflow(settings: Settings) -> AsyncIterator[Mlflow]:
    from ragstead.bootstrap.mlflow import open_mlflow

    async with contextlib.AsyncExitStack() as stack:
        yield await open_mlflow(settings, stack)


async def _collections(invocation: Invocation, settings: Settings) -> dict[str, int]:
    """Return the versions of the collections, where a platform runs that tells them."""
    from ragstead.bootstrap.ownership import read_owner
    from ragstead_cli.session import connect

    owner = read_owner(settings.deployment.data_dir)
    if owner is None or owner.address is None:
        return {}
    async with connect(invocation, settings, finds=True) as api:
        stores = (await api.get("/v1/vector_stores", limit=100))["data"]
    return {store["name"]: store["collection_version"] for store in stores}


def _who(given: str) -> str:
    if given.strip():
        return given.strip()
    try:
        return getpass.getuser()
    except (OSError, KeyError) as exc:  # a user without a name, as in some containers
        raise InvalidRequest("the system does not say who you are; give --by WHO", param="--by") from exc


def _view(kept: RegisteredRelease) -> dict[str, Any]:
    release, gate = kept.release, kept.gate
    return {
        "release": release.release_id,
        "version": kept.version,
        "created_at": round(kept.created_at, 3),
        "aliases": sorted(kept.aliases),
        "gate": {
            "outcome": gate.outcome if gate else "none",
            "why": gate.why if gate else "",
            "against": gate.against if gate else "",
            "run_id": gate.run_id if gate else "",
        },
        "notes": release.provenance.notes,
        "package_version": release.provenance.package_version,
        "git_commit": release.provenance.git_commit,
        "collections": dict(release.provenance.collections),
        "prompts": dict(kept.prompts),
    }


def _entry(entry: Promotion) -> dict[str, Any]:
    return {
        "to": entry.to,
        "from": entry.origin,
        "kind": entry.kind,
        "by": entry.by,
        "at": round(entry.at, 3),
        "why": entry.why,
        "forced": entry.forced,
    }


def _served(served: ServedRelease | None) -> dict[str, Any] | None:
    if served is None:
        return None
    champion = served.champion.release_id if served.champion else None
    return {"live": served.live, "configured": served.configured, "champion": champion}


def _show_list(document: Mapping[str, Any]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("release", "version", "made", "gate", "aliases", "notes"):
        table.add_column(name, no_wrap=name != "notes")
    for one in document["releases"]:
        aliases = ", ".join(one["aliases"])
        table.add_row(
            one["release"],
            str(one["version"]),
            _day(one["created_at"]),
            one["gate"]["outcome"],
            aliases,
            printable(one["notes"]),
        )
    out = console()
    out.print(table)
    for one in document["promotions"]:
        why = f": {printable(one['why'])}" if one["why"] else ""
        forced = ", forced" if one["forced"] else ""
        before = one["from"] or "nothing"
        out.print(f"{_day(one['at'])}  {one['kind']} {before} -> {one['to']} by {printable(one['by'])}{forced}{why}")


def _show_differences(old: str, new: str, found: Sequence[Difference]) -> None:
    out = console()
    if not found:
        out.print(f"{old} and {new} do not differ")
    for one in found:
        out.print(f"{one.path}\n  - {_short(one.old)}\n  + {_short(one.new)}")


def _short(value: object) -> str:
    text = " ".join(printable(str(value)).split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _day(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))
