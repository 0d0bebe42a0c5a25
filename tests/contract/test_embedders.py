"""The embedder suite over the fake, the ONNX graphs and the HTTP adapters, and what graphs are refused for."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from contract.embedding_models import EXPORTED, embedder_of, needs_weights
from ragstead.adapters.onnx_runtime import OnnxEncoder, Precision, WordPieces, export, is_built, read_record
from ragstead.adapters.onnx_runtime.checkpoint import read_shape, read_weights
from ragstead.adapters.onnx_runtime.export import export_graphs, quantise, verify_graph
from ragstead.adapters.onnx_runtime.graph import build_graph, write_graph
from ragstead.adapters.onnx_runtime.session import Graph
from ragstead.adapters.openai_embeddings import EmbeddingEndpoint, OpenAiEmbeddings
from ragstead.bootstrap.models import weights_dir
from ragstead.errors import ConfigurationError, InvalidRequest, Unavailable
from ragstead.model import Role
from ragstead.ports.embedder import Embedder
from ragstead.ports.encoder import EncoderSpec
from ragstead.settings import Settings
from ragstead.testing.contracts import EmbedderContract
from ragstead.testing.fakes import HashEmbedder, HashEncoder
from ragstead_embedding.app import create_app
from services.fake_platform import hash_embedding
from services.live_server import serving

MINILM = EncoderSpec("all-MiniLM-L6-v2", 384)
HASHED = EncoderSpec("all-MiniLM-L6-v2", 32, 16)


class TestHashEmbedder(EmbedderContract):
    def embedder(self) -> Embedder:
        return HashEmbedder()


class TestHashEncoder(EmbedderContract):
    def embedder(self) -> Embedder:
        return embedder_of(HashEncoder(max_tokens=256))


class OneLoopEach:
    """The adapter, with connections of its own for each call, as the suite runs each in a loop of its own."""

    def __init__(self, endpoint: EmbeddingEndpoint) -> None:
        self._endpoint = endpoint
        self.dim = HASHED.dim
        self.identity = HASHED.identity("service", "hashed")

    async def embed(self, texts: Sequence[str], role: Role) -> np.ndarray:
        adapter = OpenAiEmbeddings(self._endpoint, HASHED, identity=self.identity)
        try:
            return await adapter.embed(texts, role)
        finally:
            await adapter.close()


class HttpContract(EmbedderContract):
    """Over the embedding service, behind a socket."""

    @pytest.fixture(autouse=True)
    def _serve(self) -> Iterator[None]:
        with serving(create_app(hash_embedding(), Settings())) as url:
            self._base_url = f"{url}/v1"
            yield

    def embedder(self) -> Embedder:
        return OneLoopEach(self.reached())

    def reached(self) -> EmbeddingEndpoint:
        raise AssertionError("a suite says what it tests")


class TestOurServiceOverHttp(HttpContract):
    def reached(self) -> EmbeddingEndpoint:
        return EmbeddingEndpoint(self._base_url, is_ours=True)


class TestHostedApi(HttpContract):
    """The same service as one that knows OpenAI's fields alone."""

    def reached(self) -> EmbeddingEndpoint:
        return EmbeddingEndpoint(self._base_url, max_inputs=3)

    def test_text_over_the_length_is_cut_at_its_end(self) -> None:
        """Characters are all that can be counted here; what is still too long is the server's to refuse."""
        words = "ab " * 400
        assert float(self.embed(words)[0] @ self.embed(words + "something else")[0]) > 0.999

    def test_rows_stand_in_the_order_of_the_texts(self) -> None:
        texts = ["rain in spring", "tax law", "the cat sat on the mat", "a very long text about nothing"] * 3
        alone = np.concatenate([self.embed(text) for text in texts[:4]])
        assert np.argmax(self.embed(*texts) @ alone.T, axis=1).tolist() == [0, 1, 2, 3] * 3

    def test_the_same_text_gives_the_same_vector_in_any_company(self) -> None:
        alone = self.embed("the cat sat on the mat")[0]
        assert float(self.embed("the cat sat on the mat", "x " * 13)[0] @ alone) > 0.99


@needs_weights
class OnnxContract(EmbedderContract):
    precision: Precision

    @pytest.fixture(autouse=True)
    def _load(self) -> None:
        self._embedder = embedder_of(OnnxEncoder(EXPORTED(), MINILM, precision=self.precision))

    def embedder(self) -> Embedder:
        return self._embedder

    def test_identity_holds_the_precision(self) -> None:
        assert self.embedder().identity == f"all-MiniLM-L6-v2@53aa5117/{self.precision}"


class TestOnnxInt8(OnnxContract):
    precision = "int8"


class TestOnnxFp32(OnnxContract):
    precision = "fp32"


@needs_weights
def test_near_in_meaning_is_near_in_space() -> None:
    embedder = embedder_of(OnnxEncoder(EXPORTED(), MINILM))
    texts = ["How do I reset my password?", "Steps to recover a forgotten login", "Bananas are yellow"]
    a, b, c = asyncio.run(embedder.embed(texts, "passage"))
    assert a @ b > a @ c + 0.3


@needs_weights
def test_word_pieces_are_counted_without_special_ones() -> None:
    pieces = WordPieces(EXPORTED())
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
        export_graphs(tmp_path, tmp_path / "out", MINILM, weights_sha256="0" * 64)
    assert not (tmp_path / "out").exists()


@needs_weights
def test_graph_that_gives_other_vectors_is_refused(tmp_path: Path) -> None:
    for file in EXPORTED().iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "int8.3.onnx").replace(tmp_path / "fp32.3.onnx")
    with pytest.raises(ConfigurationError, match="runtime to sentence-transformers"):
        verify_graph(tmp_path, "fp32", MINILM)


@needs_weights
def test_graph_of_a_model_that_is_said_to_be_another_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="vectors of 384 numbers"):
        export_graphs(weights_dir(), tmp_path, EncoderSpec("wide", 768))
    with pytest.raises(ConfigurationError, match="mean pooling and all-MiniLM-L6-v2 is said to have cls"):
        OnnxEncoder(EXPORTED(), EncoderSpec("all-MiniLM-L6-v2", 384, pooling="cls"))
    with pytest.raises(ConfigurationError, match="graphs of other weights"):
        export_graphs(weights_dir(), EXPORTED(), EncoderSpec("all-MiniLM-L6-v2", 384, pooling="cls"))


@needs_weights
def test_export_keeps_the_graphs_that_are_there_and_adds_those_that_are_not(tmp_path: Path) -> None:
    first = export_graphs(weights_dir(), tmp_path, MINILM, precisions=["int8"])
    made = (tmp_path / "int8.onnx").stat().st_mtime_ns
    both = export_graphs(weights_dir(), tmp_path, MINILM, precisions=["int8", "fp32"])
    assert (set(first.cosines), set(both.cosines)) == ({"int8"}, {"int8", "fp32"})
    assert (tmp_path / "int8.onnx").stat().st_mtime_ns == made
    assert read_record(tmp_path) == both
    assert both.cosines["fp32"] >= 0.9999
    assert both.reciprocal_ranks["int8"] >= 0.9


@needs_weights
def test_graphs_of_an_older_version_are_built_again_when_they_are_needed(tmp_path: Path) -> None:
    now = json.loads((EXPORTED() / "model.json").read_text())
    del now["form"]
    (tmp_path / "model.json").write_text(json.dumps(now))
    for name in ("tokenizer.json", "int8.onnx", "fp32.onnx"):
        (tmp_path / name).write_bytes((EXPORTED() / name).read_bytes())
    assert not is_built(tmp_path, "int8")
    with pytest.raises(Unavailable, match="export it again"):
        OnnxEncoder(tmp_path, MINILM)
    made = (tmp_path / "int8.onnx").stat().st_mtime_ns
    export_graphs(weights_dir(), tmp_path, MINILM, precisions=["int8"])
    assert (tmp_path / "int8.onnx").stat().st_mtime_ns > made
    assert is_built(tmp_path, "int8")
    assert not is_built(tmp_path, "fp32"), "its file is the older one still"


@needs_weights
def test_missing_model_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="export it again"):
        OnnxEncoder(tmp_path, MINILM)
    (tmp_path / "model.json").write_bytes((EXPORTED() / "model.json").read_bytes())
    with pytest.raises(Unavailable, match="tokenizer"):
        OnnxEncoder(tmp_path, MINILM)
    (tmp_path / "tokenizer.json").write_bytes((EXPORTED() / "tokenizer.json").read_bytes())
    with pytest.raises(Unavailable, match="export it again"):
        OnnxEncoder(tmp_path, MINILM)


@needs_weights
@pytest.mark.parametrize("precision", ["int8", "fp32"])
def test_graph_in_parts_gives_the_vectors_of_the_whole_one_bit_by_bit(tmp_path: Path, precision: Precision) -> None:
    shape = read_shape(weights_dir())
    whole = tmp_path / "whole.onnx"
    write_graph(build_graph(read_weights(weights_dir() / "model.safetensors"), shape), whole)
    if precision == "int8":
        quantise(whole, tmp_path / "int8.onnx")
        whole = tmp_path / "int8.onnx"
    rows = [[101, *range(2000, 2000 + n), 102] for n in (0, 1, 14, 100, 254)]
    encoder, wanted = OnnxEncoder(EXPORTED(), MINILM, precision=precision), Graph([whole], 384).vectors(rows)
    for wants_short_steps, breaths_a_row in ((True, 2 * shape.layers), (False, 1)):
        breaths: list[bool] = []

        def breathe(answer: bool = wants_short_steps, breaths: list[bool] = breaths) -> bool:
            breaths.append(answer)
            return answer

        assert np.array_equal(encoder.encode(rows, breathe), wanted)
        assert len(breaths) == breaths_a_row * len(rows)
    assert np.array_equal(encoder.encode(rows), wanted)


@needs_weights
def test_large_graph_is_kept_in_parts_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "_LARGEST_WHOLE_BYTES", 50_000_000)
    record = export_graphs(weights_dir(), tmp_path, MINILM, precisions=["int8", "fp32"])
    assert record.whole == ["int8"]
    assert not (tmp_path / "fp32.onnx").exists()
    assert (is_built(tmp_path, "int8"), is_built(tmp_path, "fp32")) == (True, True)
    rows, breaths = [[101, 2023, 102]], []
    encoder = OnnxEncoder(tmp_path, MINILM, precision="fp32")
    assert np.array_equal(encoder.encode(rows, lambda: bool(breaths.append(1))), encoder.encode(rows))
    assert len(breaths) == record.parts
    (tmp_path / "int8.onnx").unlink()
    assert not is_built(tmp_path, "int8")


@needs_weights
def test_graph_that_lacks_a_part_is_built_again(tmp_path: Path) -> None:
    for file in EXPORTED().iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    assert is_built(tmp_path, "int8")
    (tmp_path / "int8.3.onnx").unlink()
    assert not is_built(tmp_path, "int8")
    assert is_built(tmp_path, "fp32")
    with pytest.raises(Unavailable, match="export it again"):
        OnnxEncoder(tmp_path, MINILM)
    export_graphs(weights_dir(), tmp_path, MINILM, precisions=["int8"])
    assert is_built(tmp_path, "int8")


@needs_weights
def test_what_a_breath_raises_ends_the_pass_and_no_other() -> None:
    encoder, rows = OnnxEncoder(EXPORTED(), MINILM), [[101, 2023, 102]]

    def breathe() -> bool:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        encoder.encode(rows, breathe)
    assert np.array_equal(encoder.encode(rows), encoder.encode(rows, lambda: True))


@needs_weights
def test_empty_text_has_a_vector_and_no_rows_have_none() -> None:
    encoder = OnnxEncoder(EXPORTED(), MINILM)
    assert np.isfinite(encoder.encode(encoder.tokenize([""], "query"))).all()
    assert encoder.encode([]).shape == (0, 384)


def test_identity_tells_readings_apart() -> None:
    plain = EncoderSpec("m", 8)
    readings = [
        plain,
        EncoderSpec("m", 8, max_tokens=512),
        EncoderSpec("m", 8, pooling="cls"),
        EncoderSpec("m", 8, query_prefix="query: "),
        EncoderSpec("m", 8, passage_prefix="query: "),
    ]
    assert plain.identity("abc", "int8") == "m@abc/int8"
    assert len({reading.identity("abc", "int8") for reading in readings}) == len(readings)


def test_onnx_runtime_is_told_not_to_report_before_it_is_loaded() -> None:
    code = (
        "import subprocess, sys, ragstead.adapters.onnx_runtime.native_switches as p; known = list(sys.modules);"
        "assert known.index(p.__name__) < known.index('onnxruntime');"
        "subprocess.run(['printenv', p.VARIABLE], check=True)"
    )
    environ = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"
