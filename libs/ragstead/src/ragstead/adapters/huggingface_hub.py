"""Checkpoints from the model hub, or from its cache on this disk."""

from __future__ import annotations

from pathlib import Path

import httpx
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

from ragstead.errors import ConfigurationError, Unavailable

_FILES = ("*.json", "*.txt", "model.safetensors", "*/config.json")


def fetch_checkpoint(repo: str, revision: str, *, offline: bool) -> Path:
    """Return the folder of a checkpoint: `config.json`, `model.safetensors`, the tokenizer and what tells of pooling.

    What is in the hub's cache is not fetched again. The library's own switches hold too: `HF_HUB_OFFLINE`, `HF_HOME`,
    `HF_TOKEN`, `HF_ENDPOINT`.

    Args:
        repo: `owner/name`.
        revision: A commit.
        offline: Whether to look in the cache alone, without a connection.

    Raises:
        ConfigurationError: If the name can't be that of a repository.
        Unavailable: If it can't be had.
    """
    try:
        found = snapshot_download(repo, revision=revision, allow_patterns=list(_FILES), local_files_only=offline)
    except HFValidationError as error:
        raise ConfigurationError(f"{repo!r} is no repository of the model hub: {error}") from error
    except LocalEntryNotFoundError as error:
        cure = "fetch it where there is a network, or name its folder in deployment.embedding.folders"
        raise Unavailable(
            "embedding", f"{repo}@{revision[:8]} is not on this disk and can't be fetched; {cure}"
        ) from error
    except (HfHubHTTPError, httpx.HTTPError, OSError) as error:
        said = (str(error).splitlines() or [repr(error)])[0]
        raise Unavailable("embedding", f"{repo}@{revision[:8]} can't be had from the model hub: {said}") from error
    return Path(found)
