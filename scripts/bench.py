"""Runs the benchmarks of evals/bench and writes their figures into docs/benchmarks.md: `make bench DATA=folder`.

Each benchmark is a module that prints one JSON object. Without a data folder only those that need none are run.
A row of the table is replaced by a newer one of the same name and stays otherwise. Exit 1 where a benchmark could not
be run; a figure that misses its target is shown, and is no failure of the benchmark.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import time
from pathlib import Path
from typing import Any

from setup_env import ROOT, SetupFailed, Stages, check_venv_module, child_of, in_venv, main_of, prepare, say

RESULTS = ROOT / "bench-results"
PAGE = ROOT / "docs" / "benchmarks.md"
WITH_DATA = ("quality", "first_answer", "search_http", "ingestion", "bm25", "embeddings", "embedding_quality")
WITHOUT_DATA = ("embedding_soak", "streams", "set_up", "tracing")
TABLE = re.compile(r"(<!-- table: written by make bench -->\n).*?(<!-- end of table -->)", re.DOTALL)
PEERS = re.compile(r"(<!-- peers: written by make bench -->\n).*?(<!-- end of peers -->)", re.DOTALL)
HEAD = ["| what | figure | target | met |", "| --- | --- | --- | --- |"]


def run(name: str, data: Path | None) -> dict[str, Any]:
    """The object that a benchmark prints; kept in bench-results/ too, with the machine and the time.

    Raises:
        SetupFailed: If it fails.
    """
    command: list[str | Path] = [in_venv("python"), "-m", f"evals.bench.{name}"]
    if data is not None and name in WITH_DATA:
        command += ["--data", data]
    with child_of(command, capture="stdout") as child:
        output = child.stdout.read() if child.stdout else ""
        status = child.wait()
    if status:
        raise SetupFailed(f"{name} ended with exit {status}")
    result: dict[str, Any] = json.loads(output)
    machine = {"system": platform.platform(), "machine": platform.machine(), "cores": os.cpu_count()}
    RESULTS.mkdir(exist_ok=True)
    kept = {**result, "benchmark": name, "machine": machine, "unix_s": round(time.time())}
    (RESULTS / f"{name}.json").write_text(json.dumps(kept, indent=2) + "\n")
    return result


def lines_of(rows: list[dict[str, Any]]) -> dict[str, str]:
    """Rows as lines of the table, by what they measure."""
    words = {row["what"]: (row["figure"], row["target"], "yes" if row["met"] else "**no**") for row in rows}
    return {what: f"| {what} | {' | '.join(rest)} |" for what, rest in words.items()}


def with_rows(page: str, rows: list[dict[str, Any]]) -> str:
    """The page with the rows in its table, each in place of the one of the same name or at the end.

    Raises:
        SetupFailed: If the page has no table to write.
    """
    found = TABLE.search(page)
    if not found:
        raise SetupFailed(f"{PAGE} has lost the marks around its table")
    old = [line for line in found[0].splitlines() if line.startswith("| ") and line not in HEAD]
    table = {line.split(" | ")[0].removeprefix("| "): line for line in old} | lines_of(rows)
    written = "\n".join([*HEAD, *table.values()])
    return TABLE.sub(lambda match: f"{match[1]}{written}\n{match[2]}", page)


def with_peers(page: str, peers: list[dict[str, str]]) -> str:
    """The page with the table of peers in place of the one it has; a run without peers leaves that.

    Raises:
        SetupFailed: If the page has no such table to write.
    """
    if not peers:
        return page
    if not PEERS.search(page):
        raise SetupFailed(f"{PAGE} has lost the marks around its table of peers")
    columns = list(peers[0])
    cells = [columns, ["---"] * len(columns), *([peer[column] for column in columns] for peer in peers)]
    written = "\n".join(f"| {' | '.join(line)} |" for line in cells)
    return PEERS.sub(lambda match: f"{match[1]}{written}\n{match[2]}", page)


def bench() -> int:
    """Runs the benchmarks named, or all that can be run; 1 where one could not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of the public data sets that docs/benchmarks.md names")
    parser.add_argument("names", nargs="*", metavar="name", help=f"of: {', '.join(WITH_DATA + WITHOUT_DATA)}")
    given = parser.parse_args()
    unknown = set(given.names) - {*WITH_DATA, *WITHOUT_DATA}
    if unknown:
        parser.error(f"no benchmark named {', '.join(sorted(unknown))}")
    check_venv_module()
    prepare(Stages(total=4))
    names = given.names or [*WITH_DATA, *WITHOUT_DATA]
    failed = 0
    for name in names:
        if name in WITH_DATA and given.data is None:
            say(f"{name}: not run, as it needs DATA=folder")
            continue
        say(f"{name} ...")
        try:
            result = run(name, given.data.resolve() if given.data else None)
        except (SetupFailed, ValueError) as error:
            say(f"{name}: FAILED, {error}")
            failed += 1
            continue
        PAGE.write_text(with_peers(with_rows(PAGE.read_text(), result["rows"]), result["peers"]))
        say("\n".join(lines_of(result["rows"]).values()))
    return 1 if failed else 0


if __name__ == "__main__":
    main_of(bench)
