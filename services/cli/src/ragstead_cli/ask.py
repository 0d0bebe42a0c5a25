"""`ragstead ask`: one question, or a file of them."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ragstead.errors import InvalidRequest
from ragstead_cli.output import Bar, console, printable, progress_display
from ragstead_cli.search import FilterOption, StrategyOption
from ragstead_cli.verb import Invocation, verb

if TYPE_CHECKING:
    from ragstead_cli.api import Json
    from ragstead_cli.queries import Options

QuestionArgument = Annotated[
    str | None, typer.Argument(help="What you want to know.", metavar="QUESTION", show_default=False)
]
PassagesOption = Annotated[
    int | None,
    typer.Option("-k", help="Passages to answer from; the configuration's if not given.", min=1, max=100),
]
QuestionsOption = Annotated[
    Path | None,
    typer.Option("--questions", metavar="FILE", help='A batch: lines {"_id", "text"}; needs --answers.'),
]
AnswersOption = Annotated[
    Path | None, typer.Option("--answers", metavar="OUT", help="Where a batch writes its answers, one a line.")
]


async def ask(
    invocation: Invocation,
    question: QuestionArgument = None,
    k: PassagesOption = None,
    strategy: StrategyOption = None,
    filter_: FilterOption = None,
    questions: QuestionsOption = None,
    answers: AnswersOption = None,
) -> int:
    """Answer a question from the documents, with quotes that were checked; or a file of questions."""
    from ragstead_cli.queries import Options, parse_filter

    options = Options(invocation.collection, k, strategy.value if strategy else None, parse_filter(filter_))
    if (question is None) == (questions is None) or (questions is None) != (answers is None):
        raise InvalidRequest("give either a QUESTION, or --questions FILE and --answers OUT", param="QUESTION")
    if questions is not None and answers is not None:
        return await _batch(invocation, options, questions, answers)
    await _one(invocation, options, question or "")
    return 0


def register(app: typer.Typer) -> None:
    """List the verb."""
    verb(app, "ask", example='ragstead ask "How many days of leave do I get?"', collection=True)(ask)


async def _one(invocation: Invocation, options: Options, question: str) -> None:
    from ragstead_cli.queries import ask as ask_once
    from ragstead_cli.session import connect

    async with connect(invocation, finds=True) as api:
        answer = await ask_once(api, question, options)
    invocation.show(answer, lambda: _show(answer))


async def _batch(invocation: Invocation, options: Options, path: Path, answers: Path) -> int:
    from ragstead_cli.beir import read_queries
    from ragstead_cli.queries import ask_all
    from ragstead_cli.replaced_file import replaced_file
    from ragstead_cli.session import connect

    questions = read_queries(path)
    refused = rejected = 0
    with replaced_file(answers) as out:
        async with connect(invocation, finds=True) as api:
            started = time.monotonic()
            with progress_display() as progress:
                asking = Bar(progress, "asking", len(questions))
                async for question, answer in ask_all(api, questions, options):
                    asking.advance()
                    if answer is None:
                        rejected += 1
                        continue
                    refused += answer["refused"]
                    out.write(json.dumps({"_id": question.query_id, **answer}) + "\n")
            seconds = round(time.monotonic() - started, 3)
    report = {"questions": len(questions), "refused": refused, "seconds": seconds}
    line = f"{len(questions)} questions, {refused} refused, in {seconds} s: {answers}"
    invocation.show(report, lambda: console().print(line))
    return 1 if rejected else 0


def _show(answer: Json) -> None:
    out = console()
    out.print(printable(answer["answer"]), style="" if answer["refused"] else "bold")
    for citation in answer["citations"]:
        page = f", page {citation['page']}" if citation["page"] else ""
        quote = " ".join(printable(citation["quote"]).split())
        out.print(f"\n[{citation['n']}] {citation['filename']}{page}")
        out.print(f"    “{quote}”", style="italic")
    receipt = answer["receipt"]
    total = receipt["timings_ms"].get("total", 0.0)
    verdict = f"refused: {answer['reason']}" if answer["refused"] else f"supported {answer['p_supported']:.0%}"
    out.print(f"\n{verdict} · {receipt['model']} · release {receipt['release']} · {total:.0f} ms", style="dim")
    out.print(f"trace {receipt['trace_id']}", style="dim")
