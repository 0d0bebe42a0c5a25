"""Blueprints: what an answering pipeline is composed from, out of the configuration or out of a release's manifest."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import resources
from typing import Any

from pydantic import ValidationError

from ragstead.answering.selection import sentence_selector
from ragstead.answering.support import support_model
from ragstead.bootstrap.agent import planner_name
from ragstead.bootstrap.chat_models import chat_models
from ragstead.bootstrap.conversations import dialogue_model_name, dialogue_templates
from ragstead.bootstrap.generation import prompt_templates
from ragstead.bootstrap.guarding import guard_weights
from ragstead.bootstrap.refusal import refusal_threshold
from ragstead.bootstrap.routing import open_routing
from ragstead.errors import Conflict, RagsteadError
from ragstead.ports.registry import Ground, Json, Provenance, Release
from ragstead.prompting import PLANNING_INSTRUCTIONS, DialogueTemplate, PromptTemplate
from ragstead.releases import FORMAT, content_hash, release_of
from ragstead.relevance import Relevance
from ragstead.settings import PipelineSettings, Settings

_MODEL_FACTS = ("model", "api", "context_tokens", "counts_tokens", "hosted")
"""Of a served language model: what an answer depends on, as far as it can be told from here."""


@dataclass(frozen=True, slots=True)
class Blueprint:
    """What an answering pipeline is composed from.

    Attributes:
        release: Its id and manifest.
        settings: The pipeline of the release, the deployment of this process.
        weights: What was fitted.
        templates: The prompt templates that requests may name.
        dialogue: Those about conversations.
        planning: What a model that plans searches is told.
    """

    release: Release
    settings: Settings
    weights: Mapping[str, Any]
    templates: Mapping[str, PromptTemplate]
    dialogue: Mapping[str, DialogueTemplate]
    planning: str


def ground_of(settings: Settings, index_identity: str) -> Ground:
    """Return the ground of a platform on these settings."""
    pipeline = settings.pipeline
    return Ground(index_identity, pipeline.chunker.model_dump(mode="json"), pipeline.retrieval.pair_weight)


def configured(settings: Settings, index_identity: str, provenance: Provenance | None = None) -> Blueprint:
    """Return the blueprint of the configuration.

    Raises:
        ConfigurationError: If a template or a profile is off.
    """
    templates, dialogue = prompt_templates(settings), dialogue_templates(settings)
    weights = fitted_weights()
    embedder = settings.pipeline.embedder
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "pipeline": settings.pipeline.model_dump(mode="json", exclude={"embedder": {"models"}}),
        "index": index_identity,
        "embedder": embedder.models[embedder.model].model_dump(mode="json"),
        "weights": weights,
        "guard": guard_weights(),
        "models": _models(settings),
        "prompts": {name: asdict(one) for name, one in templates.items()},
        "dialogue": {name: asdict(one) for name, one in dialogue.items()},
        "planning": PLANNING_INSTRUCTIONS,
    }
    release = release_of(json.loads(json.dumps(manifest)), provenance or provenance_here())
    return Blueprint(release, settings, weights, templates, dialogue, PLANNING_INSTRUCTIONS)


def blueprint_of(release: Release, settings: Settings, ground: Ground) -> Blueprint:
    """Return the blueprint of a release, on the deployment of this process.

    Raises:
        Conflict: If this code, the models described here or the running index can't honour it; the message says what.
    """
    manifest: Mapping[str, Any] = release.manifest
    if manifest.get("format") != FORMAT:
        raise _unfit(release, [f"its manifest has format {manifest.get('format')!r}, and this code reads {FORMAT}"])
    try:
        blueprint = _read(release, manifest, settings)
    except ValidationError as error:
        raise _unfit(release, [_first(error)]) from error
    except (AttributeError, KeyError, TypeError, ValueError, RagsteadError) as error:
        raise _unfit(release, [f"this code can't read its manifest: {type(error).__name__} {error}"]) from error
    trouble = [*_trouble_with_ground(manifest, blueprint.settings, ground), *_trouble_with_models(manifest, blueprint)]
    if manifest.get("guard") != guard_weights():
        trouble.append("its guard was fitted otherwise than this code's")
    if trouble:
        raise _unfit(release, trouble)
    return blueprint


def settings_of(release: Release, settings: Settings) -> Settings:
    """Return the settings of a platform made for a release from the ground up, on the deployment of this process.

    Raises:
        Conflict: If this code can't read its pipeline.
    """
    try:
        return settings.model_copy(update={"pipeline": _pipeline_in(release.manifest, settings)})
    except ValidationError as error:
        raise _unfit(release, [_first(error)]) from error
    except (KeyError, TypeError) as error:
        raise _unfit(release, [f"this code can't read its manifest: {type(error).__name__} {error}"]) from error


def provenance_here(collections: Mapping[str, int] | None = None, *, commit: str | None = None) -> Provenance:
    """Return where a release made by this code comes from."""
    return Provenance(importlib.metadata.version("ragstead"), commit, collections or {})


def fitted_weights() -> dict[str, Any]:
    """Return the numbers that `evals/fitting/answering.py` fitted: of sentence selection, support and relevance."""
    text = resources.files("ragstead.answering").joinpath("weights.json").read_text("utf-8")
    weights: dict[str, Any] = json.loads(text)
    return weights


def _models(settings: Settings) -> dict[str, dict[str, Json]]:
    """Return what is known of each language model that may write, read or plan, by its name here."""
    served = chat_models(settings)
    asked = {*open_routing(settings).names, dialogue_model_name(settings) or "", planner_name(settings)}
    facts = {name: served[name].model_dump(mode="json", include={*_MODEL_FACTS}) for name in asked if name in served}
    return {name: {**fact, "model": fact["model"] or name} for name, fact in sorted(facts.items())}


def _read(release: Release, manifest: Mapping[str, Any], settings: Settings) -> Blueprint:
    weights = manifest["weights"]
    strange = weights.keys() ^ fitted_weights().keys()
    if strange:
        raise ValueError(f"its fitted weights differ in {', '.join(sorted(strange))} from those that this code knows")
    Relevance(**weights["relevance"])
    sentence_selector(weights["sentences"])
    support_model(weights["support"])
    pipeline = _pipeline_in(manifest, settings)
    refusal_threshold(pipeline.answer, weights)
    return Blueprint(
        release,
        settings.model_copy(update={"pipeline": pipeline}),
        weights,
        {name: PromptTemplate(**one) for name, one in manifest["prompts"].items()},
        {name: DialogueTemplate(**one) for name, one in manifest["dialogue"].items()},
        manifest["planning"],
    )


def _pipeline_in(manifest: Mapping[str, Any], settings: Settings) -> PipelineSettings:
    given, known = manifest["pipeline"], settings.pipeline.embedder.models
    embedder = {**given["embedder"], "models": {**known, given["embedder"]["model"]: manifest["embedder"]}}
    return PipelineSettings.model_validate({**given, "embedder": embedder})


def _trouble_with_ground(manifest: Mapping[str, Any], settings: Settings, ground: Ground) -> list[str]:
    """Return what of the release needs a platform that is started, and documents that are taken in, by its settings."""
    wanted = ground_of(settings, manifest["index"])
    out = []
    if wanted.index != ground.index:
        out.append(f"its index is {wanted.index!r}, the live one {ground.index!r}")
    if content_hash(wanted.chunker) != content_hash(ground.chunker):
        out.append(f"its chunks are cut by {dict(wanted.chunker)}, those of the live index by {dict(ground.chunker)}")
    if wanted.pair_weight != ground.pair_weight and wanted.index == ground.index:
        out.append(f"its retrieval.pair_weight is {wanted.pair_weight}, the live index has {ground.pair_weight}")
    return out


def _trouble_with_models(manifest: Mapping[str, Any], blueprint: Blueprint) -> list[str]:
    try:
        here = _models(blueprint.settings)
    except RagsteadError as error:
        return [str(error)]
    out = [f"it asks {name}, which is not described here" for name in sorted(manifest["models"].keys() - here.keys())]
    for name, wanted in manifest["models"].items():
        if name in here and here[name] != wanted:
            out.append(f"its {name} is {wanted}, the one described here is {here[name]}")
    if blueprint.settings.pipeline.answer.prompt not in blueprint.templates:
        out.append(f"it has no prompt template {blueprint.settings.pipeline.answer.prompt!r}")
    return out


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"this code can't honour its setting {where}: {first['msg']}"


def _unfit(release: Release, trouble: list[str]) -> Conflict:
    return Conflict(f"release {release.release_id} can't be served here: {'; '.join(trouble)}")
