"""`ragstead eval add`: a traced question becomes a case of a suite, with the passages that it was answered from."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ragstead.errors import Conflict, InvalidRequest
from ragstead_cli.output import console, printable, say
from ragstead_cli.verb import Invocation, verb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ragstead_cli.api import Json

_ITEM = re.compile(r"^( *)- ", re.MULTILINE)
_SUITE = Path("evals/traced.yaml")

TraceOption = Annotated[
    str, typer.Option("--trace", metavar="TRACE_ID", help="`trace_id` of the answer's receipt.", show_default=False)
]
SuiteOption = Annotated[Path, typer.Option("--suite", metavar="FILE", help="The suite; made if it is not there.")]
GoldOption = Annotated[
    list[str] | None,
    typer.Option("--answer", metavar="TEXT", help="What a right answer holds; once for each that would do."),
]
UnanswerableOption = Annotated[
    bool, typer.Option("--unanswerable", help="The passages do not say: a right answer is a refusal.")
]
NameOption = Annotated[
    str | None, typer.Option("--id", metavar="NAME", help="The case's id; one of the trace's if not given.")
]
TagOption = Annotated[
    list[str] | None, typer.Option("--tag", metavar="TAG", help="A tag of the case; may be repeated.")
]


async def add(
    invocation: Invocation,
    trace: TraceOption,
    suite: SuiteOption = _SUITE,
    answer: GoldOption = None,
    unanswerable: UnanswerableOption = False,
    name: NameOption = None,
    tag: TagOption = None,
) -> None:
    """Freeze a traced question as a case of a suite, with the passages that it was answered from.

    What is right is for you to say, with --answer or --unanswerable: the traced answer may be wrong.
    """
    from ragstead_cli.replay import traced_answer
    from ragstead_cli.session import connect

    if bool(answer) == unanswerable:
        raise InvalidRequest("say what is right: --answer TEXT, or --unanswerable", param="--answer")
    async with connect(invocation, finds=True) as api:
        traced = await traced_answer(invocation, api, trace)
    case = case_of(traced, name or f"trace-{trace[:12]}", answer or [], tag or [])
    _append(suite, case)
    document = {"case": case["id"], "suite": str(suite), "trace_id": trace, "documents": len(case["context"])}
    invocation.show(document, lambda: _show(document, traced["question"]))


def register_add(group: typer.Typer) -> None:
    """List the verb under `eval`."""
    verb(group, "add", example='ragstead eval add --trace 4bf92f3577b34da6a3ce929d0e0e4736 --answer "27 days"')(add)


def case_of(traced: Json, name: str, answers: Sequence[str], tags: Sequence[str]) -> Json:
    """Return the case: the question, what is right, and each document's passages as a document of its own.

    Raises:
        InvalidRequest: If the trace holds no passages.
    """
    texts: dict[str, list[str]] = {}
    for passage in traced["passages"]:
        texts.setdefault(passage["document_id"], []).append(passage["text"])
    if not texts:
        raise InvalidRequest(
            f"trace {traced['trace_id']} holds no passages to freeze: nothing was found, or the answer had been given "
            "before and was kept; then take the trace of the first time"
        )
    return {
        "id": name,
        "question": traced["question"],
        "answers": list(answers),
        "answerable": bool(answers),
        "tags": ["traced", *tags],
        "context": [
            {"document_id": document_id, "text": "\n\n".join(dict.fromkeys(parts))}
            for document_id, parts in texts.items()
        ],
    }


def _append(path: Path, case: Json) -> None:
    """Add the case behind those of the file, whose lines stay as they are.

    Raises:
        Conflict: If the suite has a case of that id.
        InvalidRequest: If the file is no suite.
    """
    from ragstead.evaluation.suites import read_suite
    from ragstead_cli.replaced_file import replaced_file

    before = ""
    if path.exists():
        if any(one.id == case["id"] for one in read_suite(path).questions):
            raise Conflict(f"{path} has a case {case['id']!r} already; give another with --id")
        before = path.read_text("utf-8")
    path.parent.mkdir(parents=True, exist_ok=True)
    with replaced_file(path) as file:
        file.write(with_case(before, case))
    read_suite(path)


def with_case(suite: str, case: Json) -> str:
    """Return the text of a suite with one more case, indented as the others are."""
    import yaml

    before = suite if suite.strip() else "name: traced\nquestions:\n"
    found = _ITEM.search(before)
    indent = found.group(1) if found else "  "
    dumped = yaml.safe_dump([case], sort_keys=False, allow_unicode=True, width=110)
    lines = [indent + line if line.strip() else line for line in dumped.splitlines()]
    return before.rstrip("\n") + "\n" + "\n".join(lines) + "\n"


def _show(document: Json, question: str) -> None:
    console().print(f"case {document['case']} in {document['suite']}: {printable(question)}")
    say(f"ragstead: run it with `ragstead eval run {document['suite']}`")
