"""What every section of the settings is."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

SecretReference = Annotated[str, Field(pattern=r"^(env:\w+|file:.+)$")]
"""A secret by reference alone: `env:NAME` or `file:PATH`."""


class Section(BaseModel):
    """Immutable, and without fields that nobody knows."""

    model_config = ConfigDict(extra="forbid", frozen=True)
