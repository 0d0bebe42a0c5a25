"""What a release's manifest holds, that a pipeline is composed from it alone, and what can't be honoured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from ragstead.bootstrap.blueprints import blueprint_of, configured, ground_of
from ragstead.errors import Conflict
from ragstead.ports.registry import Provenance
from ragstead.prompting import PLANNING_INSTRUCTIONS
from ragstead.releases import differences, release_of
from ragstead.settings import Settings

INDEX = "embedder@1 english tantivy+pairs"


def settings_of(pipeline: dict[str, Any] | None = None, generation: dict[str, Any] | None = None) -> Settings:
    return Settings.model_validate({"pipeline": pipeline or {}, "deployment": {"generation": generation or {}}})


TINY = {"models": {"tiny": {"base_url": "http://127.0.0.1:9/v1", "model": "tiny-1", "context_tokens": 2048}}}


def read_again(settings: Settings, here: Settings, changed: dict[str, Any] | None = None):  # type: ignore[no-untyped-def]
    """The blueprint of a release of `settings`, after a journey as text, in a process that runs on `here`."""
    manifest = json.loads(json.dumps(configured(settings, INDEX).release.manifest))
    release = release_of({**manifest, **(changed or {})}, Provenance("0"))
    return blueprint_of(release, here, ground_of(here, INDEX))


def test_blueprint_of_a_release_is_the_one_that_it_was_made_of() -> None:
    settings = settings_of({"answer": {"min_support": 0.2, "generator": "tiny"}}, TINY)
    made, read = configured(settings, INDEX), read_again(settings, settings_of(generation=TINY))
    assert read.release.release_id == made.release.release_id
    assert (read.weights, read.templates, read.dialogue) == (made.weights, made.templates, made.dialogue)
    assert read.planning == PLANNING_INSTRUCTIONS
    assert read.settings.pipeline.answer == settings.pipeline.answer
    assert read.settings.pipeline.embedder.model == settings.pipeline.embedder.model


def test_manifest_holds_the_texts_and_numbers_themselves() -> None:
    manifest: Any = configured(settings_of({"answer": {"generator": "tiny"}}, TINY), INDEX).release.manifest
    assert manifest["index"] == INDEX
    assert manifest["embedder"]["revision"] == Settings().pipeline.embedder.models["all-MiniLM-L6-v2"].revision
    assert "NO ANSWER" in manifest["prompts"]["answer"]["instructions"]
    assert manifest["weights"]["relevance"]["intercept"]
    assert manifest["models"]["tiny"]["model"] == "tiny-1"
    assert manifest["models"]["tiny"]["context_tokens"] == 2048


@pytest.mark.parametrize(
    ("pipeline", "path"),
    [
        ({"retrieval": {"alpha": 0.6}}, "pipeline.retrieval.alpha"),
        ({"answer": {"min_support": 0.5}}, "pipeline.answer.min_support"),
        ({"chunker": {"target_tokens": 100}}, "pipeline.chunker.target_tokens"),
    ],
)
def test_every_setting_of_the_pipeline_is_another_release(pipeline: dict[str, Any], path: str) -> None:
    old, new = configured(Settings(), INDEX).release, configured(settings_of(pipeline), INDEX).release
    assert old.release_id != new.release_id
    assert [one.path for one in differences(old.manifest, new.manifest)] == [path]


def test_what_is_said_of_the_deployment_is_the_same_release() -> None:
    moved = Settings.model_validate({"deployment": {"port": 9, "mlflow": {"poll_s": 9}, "max_waiting": 3}})
    assert configured(moved, INDEX).release.release_id == configured(Settings(), INDEX).release.release_id


def test_prompt_of_another_wording_is_another_release_and_travels_with_it(tmp_path: Path) -> None:
    parts = {name: text for name, text in configured(Settings(), INDEX).release.manifest["prompts"]["answer"].items()  # type: ignore[index, call-overload, union-attr]
             if name in ("evidence", "passage", "question")}  # fmt: skip
    (tmp_path / "answer.yaml").write_text(yaml.safe_dump({**parts, "instructions": "Answer in verse."}))
    own = settings_of(generation={"prompts_dir": tmp_path})
    assert configured(own, INDEX).release.release_id != configured(Settings(), INDEX).release.release_id
    assert read_again(own, Settings()).templates["answer"].instructions == "Answer in verse."


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"format": 99}, "format 99, and this code reads 1"),
        ({"pipeline": {**Settings().pipeline.model_dump(mode="json", exclude={"embedder": {"models"}}), "magic": 1}},
         "can't honour its setting magic"),
        ({"weights": {"relevance": {}}}, "fitted weights differ in"),
        ({"prompts": {}}, "no prompt template 'answer'"),
        ({"prompts": {"answer": {"name": "answer"}}}, "can't read its manifest"),
        ({"index": "another english tantivy+pairs"}, "its index is 'another"),
        ({"models": {"big": {"model": "big"}}}, "asks big, which is not described here"),
        ({"dialogue": "none"}, "can't read its manifest"),
        ({"pipeline": None}, "can't read its manifest"),
    ],
)  # fmt: skip
def test_what_the_code_or_the_index_can_not_honour_is_named(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(Conflict, match=words):
        read_again(Settings(), Settings(), changed)


@pytest.mark.parametrize(
    ("pipeline", "words"),
    [
        ({"chunker": {"target_tokens": 40}}, "its chunks are cut by"),
        ({"retrieval": {"pair_weight": 0.5}}, "pair_weight is 0.5, the live index has 0.25"),
    ],
)
def test_what_needs_another_index_is_not_honoured_on_this_one(pipeline: dict[str, Any], words: str) -> None:
    with pytest.raises(Conflict, match=words):
        read_again(settings_of(pipeline), Settings())


def test_model_that_is_another_behind_the_same_name_is_not_honoured() -> None:
    other = {"models": {"tiny": {"base_url": "http://127.0.0.1:9/v1", "model": "tiny-2", "context_tokens": 2048}}}
    with pytest.raises(Conflict, match=r"tiny-1.*tiny-2"):
        read_again(settings_of({"answer": {"generator": "tiny"}}, TINY), settings_of(generation=other))
