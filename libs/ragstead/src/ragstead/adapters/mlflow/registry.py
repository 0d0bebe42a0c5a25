"""Releases as versions of a registered model, and promotions as its alias with a trail of tags."""

from __future__ import annotations

import builtins
import hashlib
import json
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion, RegisteredModel
from mlflow.exceptions import MlflowException

from ragstead.adapters.mlflow.connection import MlflowConnection, experiment_id
from ragstead.adapters.mlflow.names import (
    EXPERIMENT,
    GATE,
    GATE_VERDICT,
    MANIFEST,
    MODEL,
    PROMPT_VERSIONS,
    PROVENANCE,
    RELEASE,
    TRAIL,
    provenance_in,
    verdict_in,
)
from ragstead.errors import InvalidRequest, NotFound
from ragstead.ports.registry import (
    CANDIDATE,
    CHAMPION,
    GateVerdict,
    Promotion,
    RegisteredRelease,
    Release,
)
from ragstead.releases import read_manifest, written

_MISSING = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
_PAGE = 200
_ABOUT = "Releases of Ragstead's answering pipeline; the alias `champion` is what running platforms follow."
_MODEL_CONFIG = {"url": None, "data_dir": None, "settings": None, "api_key": None, "collection": "default"}


class MlflowRegistry:
    """Is `Registry` and `Promotions` on MLflow.

    Args:
        connection: To MLflow.
        model_code: The file that MLflow loads a release's model from.
    """

    def __init__(self, connection: MlflowConnection, model_code: Path) -> None:
        self._connection = connection
        self._model_code = model_code
        self._manifests: dict[str, Release] = {}

    async def register(self, release: Release, prompts: Mapping[str, str]) -> RegisteredRelease:
        """Keep a release and call it `candidate`; the same one twice is one version."""

        def work(client: MlflowClient) -> None:
            _registered_model(client)
            version = version_of(client, release.release_id)
            if version is None:
                version = self._create(client, release, prompts)
            client.set_registered_model_alias(MODEL, CANDIDATE, str(version.version))

        await self._connection.run(work)
        return await self.find(release.release_id)

    async def find(self, name: str) -> RegisteredRelease:
        """Return a release by its id or by an alias."""

        def work(client: MlflowClient) -> RegisteredRelease | None:
            model = _find_model(client)
            if model is None:
                return None
            if name in model.aliases:
                return self._kept(client, client.get_model_version(MODEL, model.aliases[name]), model)
            version = version_of(client, name)
            return None if version is None else self._kept(client, version, model)

        found = await self._connection.run(work)
        if found is None:
            raise NotFound("release", name[:80], "`ragstead release list` shows those there are")
        return found

    async def list(self) -> builtins.list[RegisteredRelease]:
        """Return every release, the one registered last first."""

        def work(client: MlflowClient) -> builtins.list[RegisteredRelease]:
            model = _find_model(client)
            if model is None:
                return []
            versions = [one for one in _versions(client, f"name = '{MODEL}'") if RELEASE in one.tags]
            return [self._kept(client, one, model) for one in sorted(versions, key=lambda one: -int(one.version))]

        return await self._connection.run(work)

    async def record_gate(self, release_id: str, verdict: GateVerdict) -> None:
        """Keep the gate's verdict on a release, in place of an earlier one."""
        kept = await self.find(release_id)

        def work(client: MlflowClient) -> None:
            client.set_model_version_tag(MODEL, str(kept.version), GATE_VERDICT, json.dumps(asdict(verdict)))
            client.set_model_version_tag(MODEL, str(kept.version), GATE, verdict.outcome)

        await self._connection.run(work)

    async def promote(self, promotion: Promotion) -> None:
        """Add the entry to the trail, and let `champion` mean its release."""
        kept = await self.find(promotion.to)

        def work(client: MlflowClient) -> None:
            number = 1 + max((_number(name) for name in _trail_tags(_registered_model(client))), default=0)
            client.set_registered_model_tag(MODEL, f"{TRAIL}{number:06}", json.dumps(asdict(promotion)))
            client.set_registered_model_alias(MODEL, CHAMPION, str(kept.version))

        await self._connection.run(work)

    async def trail(self) -> builtins.list[Promotion]:
        """Return every entry, the oldest first."""

        def work(client: MlflowClient) -> builtins.list[Promotion]:
            model = _find_model(client)
            tags = {} if model is None else _trail_tags(model)
            return [Promotion(**json.loads(tags[name])) for name in sorted(tags, key=_number)]

        return await self._connection.run(work)

    def _create(self, client: MlflowClient, release: Release, prompts: Mapping[str, str]) -> ModelVersion:
        versions = {name: _prompt_version(client, f"{MODEL}-{name}", text) for name, text in sorted(prompts.items())}
        tags = {RELEASE: release.release_id}
        experiment = experiment_id(client, self._connection, EXPERIMENT)
        model = client.create_logged_model(
            experiment, name=release.release_id, tags=tags, params=_params(release), model_type="pipeline"
        )
        with tempfile.TemporaryDirectory() as folder:
            client.log_model_artifacts(model.model_id, str(self._saved(release, Path(folder))))
        client.finalize_logged_model(model.model_id, "READY")
        tags |= {
            PROVENANCE: json.dumps(asdict(release.provenance)),
            PROMPT_VERSIONS: json.dumps(versions),
            GATE: "none",
        }
        source = f"models:/{model.model_id}"
        about = release.provenance.notes or None
        return client.create_model_version(
            MODEL, source, tags=tags, description=about, model_id=model.model_id, await_creation_for=0
        )

    def _saved(self, release: Release, folder: Path) -> Path:
        """Write the release as a model that answers questions; nothing is pickled, and no requirement is inferred.

        It has no example of an input: MLflow would ask it at once, of whatever data directory there is.
        """
        manifest = folder / Path(MANIFEST).name
        manifest.write_text(written(release), "utf-8")
        # Advice to give an example, and of its own types; taken away, as it overrules any filter to show them.
        with warnings.catch_warnings(record=True):
            mlflow.pyfunc.save_model(
                path=str(folder / "model"),
                python_model=str(self._model_code),
                artifacts={"manifest": str(manifest)},
                pip_requirements=[f"ragstead=={release.provenance.package_version}"],
                model_config={**_MODEL_CONFIG, "release": release.release_id},
            )
        return folder / "model"

    def _kept(self, client: MlflowClient, version: ModelVersion, model: RegisteredModel) -> RegisteredRelease:
        tags: Mapping[str, str] = version.tags
        if RELEASE not in tags:
            raise InvalidRequest(f"version {version.version} of {MODEL} in MLflow is no release of ours")
        return RegisteredRelease(
            self._manifest(client, version),
            int(version.version),
            version.creation_timestamp / 1000,
            frozenset(alias for alias, meant in model.aliases.items() if str(meant) == str(version.version)),
            verdict_in(tags),
            json.loads(tags.get(PROMPT_VERSIONS, "{}")),
        )

    def _manifest(self, client: MlflowClient, version: ModelVersion) -> Release:
        release_id = version.tags[RELEASE]
        if release_id not in self._manifests:
            location = client.get_logged_model(model_id_of(version)).artifact_location
            with tempfile.TemporaryDirectory() as folder:
                path = mlflow.artifacts.download_artifacts(
                    artifact_uri=f"{location}/{MANIFEST}", dst_path=folder, tracking_uri=self._connection.uri
                )
                text = Path(path).read_text("utf-8")
            self._manifests[release_id] = read_manifest(text, release_id, provenance_in(version.tags))
        return self._manifests[release_id]


def _find_model(client: MlflowClient) -> RegisteredModel | None:
    try:
        return client.get_registered_model(MODEL)
    except MlflowException as error:
        if error.error_code in _MISSING:
            return None
        raise


def _registered_model(client: MlflowClient) -> RegisteredModel:
    found = _find_model(client)
    return found if found is not None else client.create_registered_model(MODEL, description=_ABOUT)


def _versions(client: MlflowClient, wanted: str) -> Sequence[ModelVersion]:
    found: list[ModelVersion] = []
    token = None
    while True:
        page = client.search_model_versions(wanted, max_results=_PAGE, page_token=token)
        found += page
        token = page.token
        if not token:
            return found


def model_id_of(version: ModelVersion) -> str:
    """Return the id of the model behind a version."""
    return (version.source or "").removeprefix("models:/")


def version_of(client: MlflowClient, release_id: str) -> ModelVersion | None:
    """Return the first version of a release: two that registered it at the same time made two."""
    if not release_id.replace("-", "").isalnum():
        return None
    found = _versions(client, f"name = '{MODEL}' AND tags.`{RELEASE}` = '{release_id}'")
    return min(found, key=lambda one: int(one.version), default=None)


def _prompt_version(client: MlflowClient, name: str, text: str) -> int:
    """Return the version under which the prompt registry keeps a text, which it is given where it does not."""
    mark = f"text.{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    prompt = client.get_prompt(name)
    if prompt is not None and mark in prompt.tags:
        return int(prompt.tags[mark])
    version = int(client.register_prompt(name, text, commit_message="registered with a release").version)
    client.set_prompt_tag(name, mark, str(version))
    return version


def _params(release: Release) -> dict[str, str]:
    """Return the settings that people compare releases by; the manifest has them all."""
    pipeline: Any = release.manifest.get("pipeline", {})
    return {
        f"{section}.{name}": json.dumps(value) if not isinstance(value, str) else value
        for section in ("retrieval", "answer", "chunker")
        for name, value in (pipeline.get(section) or {}).items()
    }


def _trail_tags(model: RegisteredModel) -> dict[str, str]:
    return {name: text for name, text in model.tags.items() if name.startswith(TRAIL)}


def _number(tag: str) -> int:
    return int(tag.removeprefix(TRAIL))
