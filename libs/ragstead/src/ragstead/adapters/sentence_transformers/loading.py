"""Opens a model of the library, errors translated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ragstead.errors import ConfigurationError, Unavailable


def open_model(kind: str, folder: Path, *, device: str, part: str, dtype: str = "float32") -> Any:
    """Return the library's `kind` of model in `folder`; nothing is fetched.

    Args:
        kind: `SentenceTransformer` or `CrossEncoder`.
        folder: A model on this disk.
        device: torch's name of where it runs.
        part: What of the platform asks for it, for messages.
        dtype: torch's name of what it computes in.

    Raises:
        ConfigurationError: If torch is not installed.
        Unavailable: If the folder holds no such model.
    """
    try:
        import sentence_transformers  # noqa: PLC0415 - brings torch
    except ImportError as error:
        raise ConfigurationError(
            f"the {part} in {folder} needs torch: pip install 'ragstead[torch]'", param=part
        ) from error
    try:
        return getattr(sentence_transformers, kind)(
            str(folder), device=device, local_files_only=True, model_kwargs={"dtype": dtype}
        )
    except (OSError, ValueError) as error:
        raise Unavailable(part, f"can't load a model from {folder}: {error}") from error
