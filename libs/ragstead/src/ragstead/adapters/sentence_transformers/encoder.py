"""Any sentence-transformers model as an encoder, on the CPU or a GPU."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ragstead.adapters.sentence_transformers.loading import open_model
from ragstead.errors import ConfigurationError, Unavailable
from ragstead.model import Role
from ragstead.ports.encoder import Breathe, EncoderSpec
from ragstead.token_rows import TokenRows

TorchPrecision = Literal["fp32", "bf16", "fp16"]

_DTYPES = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}


class SentenceTransformersEncoder:
    """Is a sentence-transformers model as an `Encoder`; a `TokenCounter` too."""

    def __init__(
        self,
        folder: Path,
        spec: EncoderSpec,
        *,
        weights_sha256: str,
        precision: TorchPrecision = "fp32",
        device: str = "auto",
    ) -> None:
        """Load the model in `folder`; nothing is fetched.

        Args:
            folder: A sentence-transformers model on this disk, or a bare checkpoint.
            spec: How it is read.
            weights_sha256: Hash of its weights, for the identity.
            precision: Of weights and activations; the vectors are float32 in any case.
            device: torch's name of where it runs; `auto`: a GPU where there is one.

        Raises:
            ConfigurationError: If torch is not installed, there is no such device, or the model does not fit `spec`.
            Unavailable: If the folder holds no model.
        """
        self._spec = spec
        self._identity = spec.identity(weights_sha256[:8], f"{precision}-torch")
        self._device = _device(device, folder)
        self._model = _open(folder, spec, self._device, precision)
        self._model.eval()
        tokenizer = deepcopy(self._model.tokenizer.backend_tokenizer)  # the model sets the other's truncation
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._rows = TokenRows(tokenizer)
        self._padding = int(self._model.tokenizer.pad_token_id or 0)

    @property
    def identity(self) -> str:
        """Name, revision and precision."""
        return self._identity

    @property
    def dim(self) -> int:
        """Width of a vector."""
        return self._spec.dim

    @property
    def max_tokens(self) -> int:
        """Tokens of a row that the model was trained to read."""
        return self._spec.max_tokens

    @property
    def device(self) -> str:
        """Where it runs, by torch's name."""
        return self._device

    def device_memory(self) -> int | None:
        """Return the bytes of the GPU's memory that this process holds; None on a CPU."""
        import torch  # noqa: PLC0415 - loaded with the model

        return int(torch.cuda.memory_reserved(self._device)) if self._device.startswith("cuda") else None

    def tokenize(self, texts: Sequence[str], role: Role, *, at_most: int | None = None) -> list[list[int]]:
        """Return the row of each text, the prefix of its role before it."""
        prefix = self._spec.prefix(role)
        return self._rows.rows([prefix + text for text in texts], at_most=at_most)

    def framed(self, ids: Sequence[int]) -> list[int]:
        """Return the row of a caller's own ids."""
        return self._rows.framed(ids)

    def encode(self, rows: Sequence[Sequence[int]], breathe: Breathe | None = None) -> NDArray[np.float32]:
        """Return unit vectors of shape `[len(rows), dim]`, in one padded pass; breathes before it alone."""
        import torch  # noqa: PLC0415 - loaded with the model

        if breathe is not None:
            breathe()
        if not rows:
            return np.empty((0, self.dim), dtype=np.float32)
        ids = torch.full((len(rows), max(map(len, rows))), self._padding, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = torch.tensor(list(row), dtype=torch.long)
            mask[i, : len(row)] = 1
        try:
            with torch.inference_mode():
                features = {"input_ids": ids.to(self._device), "attention_mask": mask.to(self._device)}
                vectors = self._model(features)["sentence_embedding"]
                unit = torch.nn.functional.normalize(vectors.float(), dim=1)
        except (RuntimeError, IndexError) as error:
            raise Unavailable("embedding", f"the model failed on {ids.numel()} tokens: {error}") from error
        return np.asarray(unit.cpu().numpy(), dtype=np.float32)

    def counts(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text, the special ones left out."""
        return self._rows.counts(texts)


def _device(wanted: str, folder: Path) -> str:
    try:
        import torch  # noqa: PLC0415 - heavy
    except ImportError as error:
        raise ConfigurationError(
            f"the embedder in {folder} needs torch: pip install 'ragstead[torch]'", param="embedder"
        ) from error
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(1, device=wanted)
    except (RuntimeError, AssertionError) as error:
        raise ConfigurationError(
            f"torch can't use the device {wanted!r}: {str(error).splitlines()[0]}", param="deployment.embedding.device"
        ) from error
    return wanted


def _open(folder: Path, spec: EncoderSpec, device: str, precision: TorchPrecision) -> Any:
    """The library's model, its pooling checked; that of a bare checkpoint is as `spec` has it."""
    model = open_model("SentenceTransformer", folder, device=device, part="embedder", dtype=_DTYPES[precision])
    pooling = next((one for one in model if type(one).__name__ == "Pooling"), None)
    if pooling is not None and not (folder / "modules.json").exists():
        pooling.pooling_mode = spec.pooling
    found = getattr(pooling, "pooling_mode", "none")
    dim = int(model.get_embedding_dimension())
    if (found, dim) != (spec.pooling, spec.dim):
        raise ConfigurationError(
            f"the model in {folder} has {found} pooling and vectors of {dim} numbers; "
            f"{spec.name} is said to have {spec.pooling} pooling and {spec.dim}",
            param="pipeline.embedder.models",
        )
    return model
