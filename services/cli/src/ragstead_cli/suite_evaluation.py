"""Measures answers on a suite of ours: a YAML list of questions with what must be in their answers."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, TypeAdapter, ValidationError

from ragstead.errors import InvalidRequest
from ragstead_cli.api import store_path
from ragstead_cli.beir import Query
from ragstead_cli.output import Bar, progress_display
from ragstead_cli.queries import Options, ask_all

if TYPE_CHECKING:
    from ragstead_cli.api import Api, Json

_ARTICLES = frozenset({"a", "an", "the"})
_PUNCTUATION = str.maketrans(dict.fromkeys(string.punctuation, " "))
_Text = Annotated[str, BeforeValidator(lambda value: str(value) if isinstance(value, (int, float)) else value)]


class Case(BaseModel):
    """A question of a suite."""

    model_config = ConfigDict(extra="forbid")

    id: _Text
    question: str
    answers: list[_Text] = []
    sources: list[str] = []
    answerable: bool = True
    tags: list[str] = []


def read_suite(path: Path) -> list[Case]:
    """Return the cases of a suite: a list, or a mapping with the list under `questions`.

    Raises:
        InvalidRequest: If it is no such file, or names an id twice.
    """
    try:
        raw = yaml.load(path.read_text("utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
        cases = TypeAdapter(list[Case]).validate_python(raw["questions"] if isinstance(raw, dict) else raw)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as exc:
        raise InvalidRequest(f"{path} can't be read: {' '.join(str(exc).split())}") from exc
    except KeyError as exc:
        raise InvalidRequest(f"{path} has no `questions`") from exc
    except ValidationError as exc:
        first = exc.errors()[0]
        raise InvalidRequest(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from exc
    ids = [case.id for case in cases]
    twice = next((name for name in ids if ids.count(name) > 1), None)
    if twice is not None or not cases:
        raise InvalidRequest(f"{path}: " + (f"id {twice!r} stands there twice" if twice else "no questions"))
    return cases


async def measure_suite(api: Api, cases: Sequence[Case], options: Options) -> dict[str, float]:
    """Ask every question and return the measures of the answers."""
    by_id = {case.id: case for case in cases}
    told: list[tuple[Case, Json]] = []
    with progress_display() as progress:
        asking = Bar(progress, "asking", len(cases))
        async for query, answer in ask_all(api, [Query(case.id, case.question) for case in cases], options):
            told.append((by_id[query.query_id], answer or _NO_ANSWER))
            asking.advance()
    return {**answer_measures(told), "citations_valid": await _share_valid(api, options.collection, told)}


def answer_measures(told: Sequence[tuple[Case, Json]]) -> dict[str, float]:
    """Return the measures that need no more than cases and answers.

    `answers_contained`: share of answerable questions whose answer holds a gold one; `answers_cited`: share of given
    answers with a citation; `sources_cited`: share of answerable questions with sources whose answer cites one of
    them; `refusal_precision`, `refusal_recall`: of the refusals, and of the unanswerable questions, the share that
    is both. A share of nothing is 1.
    """
    answerable = [pair for pair in told if pair[0].answerable]
    sourced = [pair for pair in answerable if pair[0].sources]
    given = [answer for _, answer in told if not answer["refused"]]
    refused = [case for case, answer in told if answer["refused"]]
    unanswerable = len(told) - len(answerable)
    right = sum(not case.answerable for case in refused)
    return {
        "questions": float(len(told)),
        "answers_contained": _share(sum(map(_contains, answerable)), len(answerable)),
        "answers_cited": _share(sum(bool(answer["citations"]) for answer in given), len(given)),
        "sources_cited": _share(sum(map(_cites_source, sourced)), len(sourced)),
        "refusal_precision": _share(right, len(refused)),
        "refusal_recall": _share(right, unanswerable),
    }


def normalised(text: str) -> str:
    """Lower case, without marks, punctuation and articles, as SQuAD's scorer compares."""
    plain = re.sub(r"\[\d+\]", " ", text).lower().translate(_PUNCTUATION)
    return " ".join(word for word in plain.split() if word not in _ARTICLES)


_NO_ANSWER: Json = {"answer": "", "refused": True, "citations": []}


def _contains(pair: tuple[Case, Json]) -> bool:
    case, answer = pair
    said = f" {normalised(answer['answer'])} "
    return not answer["refused"] and any(f" {normalised(gold)} " in said for gold in case.answers if normalised(gold))


def _cites_source(pair: tuple[Case, Json]) -> bool:
    case, answer = pair
    wanted = {Path(source).name for source in case.sources}
    return any(Path(citation["filename"]).name in wanted for citation in answer["citations"])


async def _share_valid(api: Api, collection: str, told: Sequence[tuple[Case, Json]]) -> float:
    """Share of citations whose quote stands at its offsets in the document's extracted text."""
    citations: list[dict[str, Any]] = [citation for _, answer in told for citation in answer["citations"]]
    texts: dict[str, str] = {}
    for document_id in {citation["document_id"] for citation in citations}:
        view = await api.get(store_path(collection, "documents", document_id), text="true")
        texts[document_id] = view["text"] or ""
    valid = sum(
        texts[citation["document_id"]][citation["quote_start"] : citation["quote_end"]] == citation["quote"] != ""
        for citation in citations
    )
    return _share(valid, len(citations))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0
