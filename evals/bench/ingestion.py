"""Compares ingesting 2,000 SQuAD paragraphs with only embedding the same texts, in turns, in the same run."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from itertools import islice
from pathlib import Path
from typing import Any

from evals.bench.product import ROOT, Row, Undrivable, cli, data_folder, note, passages, report, write_corpus

PARAGRAPHS = 2000
ROUNDS = 3
MIN_RATIO = 0.7


def embed_alone(folder: Path) -> float:
    """Seconds that the default embedder takes for the texts, its loading left out, in a process of its own.

    Raises:
        Undrivable: If it fails.
    """
    command = [sys.executable, "-m", "evals.bench.embed_texts", str(folder / "corpus.jsonl")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Undrivable(f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-800:]}")
    seconds: float = json.loads(done.stdout)["seconds"]
    return seconds


def ingest(folder: Path, store: Path) -> tuple[float, dict[str, Any]]:
    """Seconds from the first document handed in to the last one visible, as `ingest` counts them, and its report."""
    result = cli("ingest", "--format", "beir", str(folder), data_dir=store)
    if result["documents"]["indexed"] != PARAGRAPHS:
        raise Undrivable(f"of {PARAGRAPHS} paragraphs {result['documents']} came out")
    return result["seconds"], result


def main() -> None:
    """Prints the row."""
    data = data_folder(__doc__)
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work) / "squad"
        write_corpus(islice(passages(data), PARAGRAPHS), folder)
        rounds = []
        for turn in range(ROUNDS):
            alone = embed_alone(folder)
            whole, _ = ingest(folder, Path(work) / f"store-{turn}")
            note(f"embedder alone {alone:.1f} s, ingestion {whole:.1f} s")
            rounds.append((alone, whole))
    ratio = statistics.median(alone / whole for alone, whole in rounds)
    report(
        [
            Row(
                "ingestion of 2,000 SQuAD paragraphs, against the embedder alone",
                f"{ratio:.2f} of its speed",
                "0.7",
                ratio >= MIN_RATIO,
            )
        ],
        embedder_s=[round(alone, 2) for alone, _ in rounds],
        ingestion_s=[round(whole, 2) for _, whole in rounds],
        paragraphs_per_s=round(PARAGRAPHS / statistics.median(whole for _, whole in rounds), 1),
    )


if __name__ == "__main__":
    main()
