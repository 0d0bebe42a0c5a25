"""`ragstead replay`: a traced question is asked again, and what differs is shown."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ragstead_cli.output import console, printable, say
from ragstead_cli.verb import Invocation, verb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ragstead.replaying import Difference, ToldAnswer
    from ragstead_cli.api import Api, Json

TraceArgument = Annotated[
    str, typer.Argument(metavar="TRACE_ID", help="`trace_id` of an answer's receipt.", show_default=False)
]
ReleaseOption = Annotated[
    str | None,
    typer.Option(
        "--release", metavar="R", help="Release that answers now, by id or alias; the one that serves if not given."
    ),
]

_PATIENCE_S = 10.0
"""For a trace that is not there: a new answer's is exported some seconds after it."""
_PAUSE_S = 0.5
_NOT_THERE = "trace_not_found"


async def replay(invocation: Invocation, trace_id: TraceArgument, release: ReleaseOption = None) -> None:
    """Ask a traced question again, and show what differs from the answer that was given."""
    from ragstead.guardrails.pii import is_redacted
    from ragstead.replaying import differences
    from ragstead_cli.release import release_id_of
    from ragstead_cli.session import connect

    if release is not None:
        release = await release_id_of(invocation, release)
    async with connect(invocation, finds=True) as api:
        traced = await traced_answer(invocation, api, trace_id)
        now = await _asked_again(api, traced, release)
    found = differences(_told(traced, traced["quotes"], traced), _told(now, now["citations"], now["receipt"]))
    document = {
        "trace_id": trace_id,
        "question": traced["question"],
        "redacted": is_redacted(traced["question"]),
        "then": _shown(traced, traced),
        "now": {**_shown(now, now["receipt"]), "trace_id": now["receipt"]["trace_id"]},
        "differences": [asdict(one) for one in found],
    }
    invocation.show(document, lambda: _show(document, found))


async def traced_answer(invocation: Invocation, api: Api, trace_id: str) -> Json:
    """Return a traced answer as `GET /v1/traces/{trace_id}` has it; one that is not there is waited for, ten seconds.

    Raises:
        InvalidRequest: If the id is none.
        Missing: If the trace is not there, or can't be read back.
    """
    import asyncio
    import time
    from urllib.parse import quote

    from ragstead_cli.errors import Missing

    deadline, said = time.monotonic() + _PATIENCE_S, invocation.json
    while True:
        try:
            return await api.get(f"/v1/traces/{quote(trace_id, safe='')}")
        except Missing as missing:
            if missing.code != _NOT_THERE or time.monotonic() > deadline:
                raise
        if not said:
            say(f"ragstead: the trace is not there yet; waiting for up to {_PATIENCE_S:g} s")
            said = True
        await asyncio.sleep(_PAUSE_S)


def register(app: typer.Typer) -> None:
    """List the verb."""
    verb(app, "replay", example="ragstead replay 4bf92f3577b34da6a3ce929d0e0e4736")(replay)


async def _asked_again(api: Api, traced: Json, release: str | None) -> Json:
    from ragstead_cli.queries import answer_parts

    asked = {**traced["asked"], "collection": traced["collection"]}
    body: dict[str, Any] = {
        "model": asked.pop("model", "ragstead"),
        "messages": [{"role": "user", "content": traced["question"]}],
        "rag": asked if release is None else {**asked, "release": release},
    }
    return answer_parts(await api.post("/v1/chat/completions", body))


def _told(answer: Json, quotes: Sequence[Json], receipt: Json) -> ToldAnswer:
    from ragstead.replaying import ToldAnswer

    return ToldAnswer(
        answer["answer"],
        answer["refused"],
        answer["reason"],
        answer["p_supported"],
        receipt["release"],
        receipt["collection_version"],
        receipt["model"],
        tuple((one["document_id"], one["quote"]) for one in quotes),
    )


def _shown(answer: Json, receipt: Json) -> Json:
    verdict = {name: answer[name] for name in ("answer", "refused", "reason", "p_supported")}
    return {**verdict, **{name: receipt[name] for name in ("release", "collection_version", "model")}}


def _show(document: Json, found: Sequence[Difference]) -> None:
    out = console()
    out.print(printable(document["question"]), style="bold")
    if document["redacted"]:
        say("ragstead: personal data was taken out of the traced question, and it is asked now without")
    for one in found:
        out.print(f"\n{one.what}")
        out.print(f"  - {printable(str(one.then))}" if one.then is not None else "  - (none)", style="red")
        out.print(f"  + {printable(str(one.now))}" if one.now is not None else "  + (none)", style="green")
    if not found:
        out.print("the same answer, from the same release and documents", style="dim")
