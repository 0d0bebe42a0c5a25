"""Suites of questions in YAML: what is asked, what must be in the answer, and where the answer stands."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from ragstead.errors import InvalidRequest

_Text = Annotated[str, BeforeValidator(lambda value: str(value) if isinstance(value, (int, float)) else value)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ContextDocument(_Entry):
    """A document that stands in the suite itself."""

    document_id: str = Field(min_length=1)
    text: str = Field(min_length=1)


class Case(_Entry):
    """A question of a suite.

    Attributes:
        id: Unique in the suite.
        question: In words.
        answers: Gold strings, any one of which makes an answer right.
        sources: File names of the documents that together hold the answer.
        answerable: False where the documents do not answer it, and a refusal is right.
        tags: What kind of question it is; measures are told by tag as well.
        context: The case's own documents; it is asked about those alone where there are any.
    """

    id: _Text
    question: str = Field(min_length=1)
    answers: tuple[_Text, ...] = ()
    sources: tuple[str, ...] = ()
    answerable: bool = True
    tags: tuple[_Text, ...] = ()
    context: tuple[ContextDocument, ...] = ()

    @property
    def fingerprint(self) -> str:
        """Eight hexadecimal digits that change with the question, its gold and its context."""
        return hashlib.sha256(self.model_dump_json(exclude={"id", "tags"}).encode()).hexdigest()[:8]


class Suite(_Entry):
    """Questions that are asked together.

    Attributes:
        name: What runs of it are called.
        documents: Folder of what the questions are about, beside the suite's file or in a folder above; None where
            they are asked of documents that are there already.
        canaries: Strings that stand where no answer may take them from; one in an answer is a leak.
        planted: Documents with canaries, taken into a collection of their own beside that of the questions.
        egress: `allow`: hosted models may read the documents, as a collection's metadata say it.
        questions: The questions.
    """

    name: str = ""
    documents: str | None = None
    canaries: tuple[Annotated[str, Field(min_length=6)], ...] = ()
    planted: tuple[ContextDocument, ...] = ()
    egress: Literal["allow"] | None = None
    questions: tuple[Case, ...] = Field(min_length=1)


def read_suite(path: Path) -> Suite:
    """Return the suite of a YAML file: a mapping with `questions`, or a plain list of them.

    Raises:
        InvalidRequest: If it is no such file, or names an id twice.
    """
    try:
        raw = yaml.load(path.read_text("utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as exc:
        raise InvalidRequest(f"{path} can't be read: {' '.join(str(exc).split())}") from exc
    fields = raw if isinstance(raw, dict) else {"questions": raw}
    try:
        suite = Suite.model_validate({"name": path.stem, **fields})
    except ValidationError as exc:
        raise InvalidRequest(f"{path}: {_first(exc, fields)}") from exc
    seen: set[str] = set()
    for case in suite.questions:
        if case.id in seen:
            raise InvalidRequest(f"{path}: id {case.id!r} stands there twice")
        seen.add(case.id)
    return suite


def documents_folder(suite: Suite, path: Path) -> Path | None:
    """Return the folder of a suite's documents, looked for beside its file and in each folder above.

    Raises:
        InvalidRequest: If the suite names one that is nowhere there.
    """
    if suite.documents is None:
        return None
    for place in path.resolve().parents:
        if (place / suite.documents).is_dir():
            return place / suite.documents
    raise InvalidRequest(f"{path}: there is no folder {suite.documents!r} beside it or above it", param="documents")


def sampled(suite: Suite, n: int | None) -> Suite:
    """Return the suite with `n` of its questions, the same ones every time, in their order; with all where None.

    Answerable and unanswerable ones keep their shares, as far as whole questions go.
    """
    if n is None or n >= len(suite.questions):
        return suite
    drawn: set[str] = set()
    for answerable in (True, False):
        group = [case.id for case in suite.questions if case.answerable is answerable]
        share = max(1, round(n * len(group) / len(suite.questions))) if group else 0
        drawn |= set(random.Random(0).sample(group, min(len(group), share)))  # noqa: S311 - a sample, no secret
    return suite.model_copy(update={"questions": tuple(case for case in suite.questions if case.id in drawn)})


def by_tag(cases: Sequence[Case]) -> Mapping[str, list[str]]:
    """Return the ids of the cases of each tag, tags in alphabetical order."""
    tags = sorted({tag for case in cases for tag in case.tags})
    return {tag: [case.id for case in cases if tag in case.tags] for tag in tags}


def _first(exc: ValidationError, fields: Mapping[str, Any]) -> str:
    error = exc.errors()[0]
    place = list(error["loc"])
    if place == ["questions"]:
        return "no questions" if fields.get("questions") in (None, [], ()) else f"questions: {error['msg']}"
    return f"{'.'.join(map(str, place))}: {error['msg']}"
