"""Reads the settings, and the secrets that they refer to."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from ragstead.errors import ConfigurationError
from ragstead.settings.deployment import DeploymentSettings
from ragstead.settings.pipeline import PipelineSettings
from ragstead.settings.section import Section


class Settings(Section):
    """Both halves."""

    pipeline: PipelineSettings = PipelineSettings()
    deployment: DeploymentSettings = DeploymentSettings()


def load_settings(
    path: Path | None, *, data_dir: Path | None = None, environ: Mapping[str, str] = os.environ
) -> Settings:
    """Return the settings of a YAML file, or the defaults where `path` is None.

    Args:
        path: The file.
        data_dir: Overrides the file's, and the environment's RAGSTEAD_DATA_DIR.
        environ: The environment.

    Raises:
        ConfigurationError: If the file is not there, is no YAML, or has a field that is unknown or off.
    """
    raw = _read(path) if path is not None else {}
    directory = data_dir or environ.get("RAGSTEAD_DATA_DIR")
    if directory:
        deployment = raw.get("deployment") or {}
        if not isinstance(deployment, dict):
            raise ConfigurationError(f"{path}: deployment must be a mapping", param="deployment")
        raw = {**raw, "deployment": {**deployment, "data_dir": str(directory)}}
    try:
        return Settings.model_validate(raw)
    except ValidationError as exc:
        first = exc.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"{path or 'settings'}: {where}: {first['msg']}", param=where) from exc


def resolve_secret(reference: str, environ: Mapping[str, str] = os.environ) -> str:
    """Return the secret that `env:NAME` or `file:PATH` stands for, without white space at its ends.

    Raises:
        ConfigurationError: If it is not there or empty; the secret itself is never in the message.
    """
    kind, _, name = reference.partition(":")
    try:
        value = environ.get(name, "") if kind == "env" else Path(name).read_text("utf-8")
    except OSError as exc:
        raise ConfigurationError(f"the secret {reference!r} can't be read: {exc.strerror}") from exc
    if not value.strip():
        raise ConfigurationError(f"the secret {reference!r} is empty or not set")
    return value.strip()


def set_for_libraries(values: Mapping[str, str], environ: MutableMapping[str, str] = os.environ) -> None:
    """Set variables that libraries read when they are imported, over those that are there."""
    environ.update(values)


def environment_for_traces(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment without the variables by which tracing libraries are told of addresses, keys and limits.

    What they are to know stands in the settings; a variable left over from another program must not lead traces away.
    """
    own = {name: value for name, value in environ.items() if not name.startswith(("LANGFUSE_", "OTEL_", "MLFLOW_"))}
    return {**own, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def _read(path: Path) -> dict[str, Any]:
    try:
        raw = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigurationError(f"{path} can't be read: {exc}") from exc
    except yaml.YAMLError as exc:
        raise ConfigurationError(f"{path} is no YAML: {' '.join(str(exc).split())}") from exc
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise ConfigurationError(f"{path} must hold a mapping with `pipeline` and `deployment`")
    return raw
