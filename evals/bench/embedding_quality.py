"""Ranks with int8 vectors and with the reference's: nDCG@10 of exact search by cosine over two public sets.

The reference is sentence-transformers on torch in fp32, on the same weights. A document is embedded as retrieval embeds
a chunk: title, new line, text; all models cut at 256 tokens. fp32 on ONNX Runtime is compared vector by vector.
"""

from __future__ import annotations

import concurrent.futures
import importlib.util
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from evals.bench.product import Row, data_folder, note, report, rows_of
from ragstead.bootstrap.models import open_encoder
from ragstead.evaluation.ranking import mean_measures
from ragstead.ports.encoder import Encoder
from ragstead.settings import DeploymentSettings, EmbedderSettings, PipelineSettings, Settings

Runtime = Literal["onnx-int8", "onnx-fp32", "sentence-transformers"]
Vectors = NDArray[np.float32]

SETS = ("scifact", "squad-v1.1-dev")
REFERENCE: Runtime = "sentence-transformers"
RUNTIMES: tuple[Runtime, ...] = ("onnx-int8", "onnx-fp32", REFERENCE)
THREADS, PASS_TEXTS, SHOWN_EVERY = 2, 16, 2_000
K = 10
MOST_LOST, LEAST_COSINE = 0.003, 0.9999


class Judged:
    """One set: texts to embed and what is relevant.

    Attributes:
        document_ids: In the order of the first texts.
        query_ids: In the order of the others.
        texts: Of documents, then of queries.
        qrels: Gain by document id, by query id.
    """

    def __init__(self, folder: Path) -> None:
        self.qrels = qrels_of(next((folder / "qrels").glob("*.tsv")))
        documents = list(rows_of(folder / "corpus.jsonl"))
        queries = [row for row in rows_of(folder / "queries.jsonl") if row["_id"] in self.qrels]
        self.document_ids = [row["_id"] for row in documents]
        self.query_ids = [row["_id"] for row in queries]
        self.texts = [f"{row['title']}\n{row['text']}" if row.get("title") else row["text"] for row in documents]
        self.texts += [row["text"] for row in queries]

    def ndcg(self, vectors: Vectors) -> float:
        """nDCG@10 of exact search by cosine with the unit vectors of `texts`; ties in the order of the documents."""
        n = len(self.document_ids)
        run = {}
        for query_id, query in zip(self.query_ids, vectors[n:], strict=True):
            best = np.argsort(-(vectors[:n] @ query), kind="stable")[:K]
            run[query_id] = [self.document_ids[i] for i in best]
        return mean_measures(run, self.qrels)[f"ndcg@{K}"]


def qrels_of(path: Path) -> dict[str, dict[str, int]]:
    """Gains by document id, by query id, of a file in BEIR layout."""
    found: dict[str, dict[str, int]] = {}
    for line in path.read_text("utf-8").splitlines()[1:]:
        query_id, document_id, gain = line.split("\t")
        found.setdefault(query_id, {})[document_id] = int(gain)
    return found


def opened(runtime: Runtime, models: Path) -> Encoder:
    """An encoder as the platform opens it; its graphs are built in a folder of their own."""
    pipeline = PipelineSettings(embedder=EmbedderSettings(runtime=runtime))
    return open_encoder(Settings(pipeline=pipeline, deployment=DeploymentSettings(models_dir=models)))


def embedded(encoder: Encoder, texts: Sequence[str], what: str) -> Vectors:
    """Unit vectors of the texts, float32 [n, dim]; those of like length share a pass."""
    rows = encoder.tokenize(texts, "passage", at_most=encoder.max_tokens)
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    passes = [order[i : i + PASS_TEXTS] for i in range(0, len(order), PASS_TEXTS)]
    out = np.empty((len(rows), encoder.dim), dtype=np.float32)
    threads = 1 if encoder.identity.endswith("torch") else THREADS  # torch shares a pass among its own two
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        done = pool.map(lambda some: encoder.encode([rows[i] for i in some]), passes)
        for number, (some, vectors) in enumerate(zip(passes, done, strict=True), 1):
            out[some] = vectors
            if number * PASS_TEXTS % SHOWN_EVERY == 0:
                note(f"{what}: {number * PASS_TEXTS} of {len(rows)} texts")
    return out


def lost(name: str, value: float, reference: float) -> Row:
    """The row of one set."""
    return Row(
        f"nDCG@10 of int8 against the reference, {name}",
        f"{value - reference:+.4f} ({value:.4f} and {reference:.4f})",
        "at most 0.003 less",
        reference - value <= MOST_LOST,
    )


def limit_torch() -> None:
    """Gives torch its two threads."""
    import torch  # noqa: PLC0415  (not everywhere installed)

    torch.set_num_threads(THREADS)


def measure(data: Path, models: Path) -> tuple[list[Row], Mapping[Runtime, Mapping[str, float]]]:
    """The rows, and nDCG@10 by runtime, by set."""
    sets = {name: Judged(data / name) for name in SETS}
    found: dict[str, dict[str, Vectors]] = {}
    for runtime in RUNTIMES:
        encoder = opened(runtime, models)
        found[runtime] = {name: embedded(encoder, judged.texts, f"{runtime}, {name}") for name, judged in sets.items()}
    ndcg = {runtime: {name: sets[name].ndcg(found[runtime][name]) for name in SETS} for runtime in RUNTIMES}
    rows = [lost(name, ndcg["onnx-int8"][name], ndcg[REFERENCE][name]) for name in SETS]
    cosines = [np.sum(found["onnx-fp32"][name] * found[REFERENCE][name], axis=1) for name in SETS]
    worst, n = min(float(each.min()) for each in cosines), sum(map(len, cosines))
    what = "fp32 ONNX, lowest cosine to the reference over every text"
    rows.append(Row(what, f"{worst:.6f} ({n} texts)", f"{LEAST_COSINE}", worst >= LEAST_COSINE))
    return rows, ndcg


def main() -> None:
    """Prints the rows."""
    data = data_folder(__doc__)
    if not (importlib.util.find_spec("sentence_transformers") and importlib.util.find_spec("torch")):
        note(
            "the reference can't run here: torch and sentence-transformers are not installed (make test installs them)"
        )
        report([])
        return
    limit_torch()
    with tempfile.TemporaryDirectory() as models:
        rows, ndcg = measure(data, Path(models))
    report(rows, ndcg=ndcg)


if __name__ == "__main__":
    main()
