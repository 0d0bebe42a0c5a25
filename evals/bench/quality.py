"""Measures ranking, answers, citations and refusal on public data sets, through the command line alone.

Questions are sampled with a fixed seed. Ranking is nDCG@10 by document over at most 1,500 judged questions a set.
"""

from __future__ import annotations

import json
import random
import re
import statistics
import string
import tempfile
from pathlib import Path
from typing import Any

from evals.bench.product import Row, cli, data_folder, note, report, rows_of

FLOORS = {"scifact": 0.727, "squad-v1.1-dev": 0.896, "cranfield": 0.552, "hotpotqa-100": 0.826, "chunking-eval": 0.761}
MEAN = 0.762
QUESTIONS, ANSWERED = 1500, 500
_BOUNDARY = re.compile(r"[.!?][\"')\]]*\s+(?=[A-Z0-9\"'(])")


def sampled(folder: Path, n: int, judged: set[str] | None = None) -> list[dict[str, Any]]:
    """At most `n` questions of a set, those judged alone where that is given."""
    rows = [row for row in rows_of(folder / "queries.jsonl") if judged is None or row["_id"] in judged]
    random.Random(0).shuffle(rows)  # noqa: S311  (a sample, not a secret)
    return rows[:n]


def shortened(folder: Path, work: Path) -> Path:
    """A copy of a BEIR folder with a sample of its judged questions."""
    copy = work / folder.name
    (copy / "qrels").mkdir(parents=True)
    (copy / "corpus.jsonl").symlink_to(folder / "corpus.jsonl")
    qrels = next((folder / "qrels").glob("*.tsv"))
    (copy / "qrels" / qrels.name).symlink_to(qrels)
    judged = {line.split()[0] for line in qrels.read_text("utf-8").splitlines()}
    write(copy / "queries.jsonl", sampled(folder, QUESTIONS, judged))
    return copy


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    """Writes JSON lines of id and text."""
    lines = [json.dumps({"_id": row["_id"], "text": row["text"]}) + "\n" for row in rows]
    path.write_text("".join(lines), "utf-8")


def ranking(data: Path, work: Path) -> list[Row]:
    """nDCG@10 of each set under the default strategy and under `prefilter`, and the means."""
    rows, means = [], []
    for strategy, floors in ((None, FLOORS), ("prefilter", {})):
        found = {}
        for name in FLOORS:
            folder = work / name if (work / name).exists() else shortened(data / name, work)
            words = ["--strategy", strategy] if strategy else []
            found[name] = cli("eval", "run", str(folder), *words, data_dir=work / "store")["metrics"]["ndcg@10"]
            note(f"{name} {strategy or 'default'} {found[name]:.4f}")
        means.append(statistics.mean(found.values()))
        for name, value in found.items():
            floor = floors.get(name, 0.0)
            label = f"nDCG@10, {name}, {strategy or 'default strategy'}"
            rows.append(Row(label, f"{value:.4f}", f"{floor:.3f}" if floor else "", value >= floor))
    rows.append(Row("nDCG@10, mean of the five, default strategy", f"{means[0]:.4f}", f"{MEAN:.3f}", means[0] >= MEAN))
    rows.append(Row("nDCG@10, mean of the five, prefilter", f"{means[1]:.4f}", "", met=True))
    return rows


def asked(questions: list[dict[str, Any]], collection: str, work: Path) -> dict[str, dict[str, Any]]:
    """The answers to a batch of questions, by id."""
    write(work / "asked.jsonl", questions)
    words = ("--questions", str(work / "asked.jsonl"), "--answers", str(work / "told.jsonl"))
    cli("ask", *words, "--collection", collection, data_dir=work / "store")
    return {row["_id"]: row for row in rows_of(work / "told.jsonl")}


def plain(text: str) -> str:
    """Lower-cased words without punctuation and articles, as SQuAD compares them."""
    spaced = "".join(" " if char in string.punctuation else char for char in text.lower())
    return " ".join(word for word in spaced.split() if word not in {"a", "an", "the"})


def answering(data: Path, work: Path) -> list[Row]:
    """Shares of SQuAD answers that hold a gold answer, are given, are cited, are exact and are brief."""
    folder = data / "squad-v1.1-dev"
    cli("ingest", str(folder), "--format", "beir", "--collection", "answers", data_dir=work / "store")
    questions = sampled(folder, ANSWERED)
    told = asked(questions, "answers", work)
    texts = {row["_id"]: row["text"] for row in rows_of(folder / "corpus.jsonl")}
    given = [(q, told[q["_id"]]) for q in questions if not told[q["_id"]]["refused"]]
    words = {q["_id"]: re.sub(r"\[\d+\]", " ", row["answer"]).strip() for q, row in given}
    right = sum(
        any(f" {plain(g)} " in f" {plain(words[q['_id']])} " for g in q["answers"] if plain(g)) for q, _ in given
    )
    quotes = [c for _, row in given for c in row["citations"]]
    exact = sum(texts[c["document_id"]][c["quote_start"] : c["quote_end"]] == c["quote"] for c in quotes)
    brief = sum(len(_BOUNDARY.findall(text)) <= 1 or len(text.split()) <= 45 for text in words.values())
    n = len(questions)
    shares = (
        ("answers that hold a gold answer", right / n, 0.82),
        ("questions not refused", len(given) / n, 0.90),
        ("answers cited", sum(bool(row["citations"]) for _, row in given) / len(given), 1.0),
        ("quotes that stand at their offsets", exact / len(quotes), 1.0),
        ("answers of at most two sentences or 45 words", brief / len(given), 0.98),
    )
    return [Row(f"{what}, {n} SQuAD questions", f"{x:.1%}", f"{least:.0%}", x >= least) for what, x, least in shares]


def refusing(data: Path, work: Path) -> list[Row]:
    """Share of questions refused that the collection is not about."""
    cli("ingest", str(data / "kb-fastapi-md"), "--collection", "offtopic", data_dir=work / "store")
    questions = sampled(data / "hotpotqa-100", 100)
    told = asked(questions, "offtopic", work)
    share = sum(row["refused"] for row in told.values()) / len(questions)
    return [Row("off-topic questions refused (hotpotqa-100 on kb-fastapi-md)", f"{share:.1%}", "95%", share >= 0.95)]


def main() -> None:
    """Prints the rows."""
    data = data_folder(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        report([*answering(data, work), *refusing(data, work), *ranking(data, work)])


if __name__ == "__main__":
    main()
