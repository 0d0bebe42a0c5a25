"""Times `ragstead ask` in a new process on a store of 2,000 chunks, and the memory of that process and its children.

The file system's cache is warm, as it is for anybody who asks twice; the process, its models and indexes start cold.
"""

from __future__ import annotations

import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from evals.bench.product import RAGSTEAD, Row, Undrivable, data_folder, fill, report

CHUNKS = 2000
RUNS = 5
QUESTION = "Which team won Super Bowl 50?"
MAX_S, MAX_MB = 3.0, 800.0


def resident_bytes(pid: int) -> int:
    """Resident memory of a process and its descendants, pages that they share counted for each; 0 where it is gone."""
    listing = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,rss="], capture_output=True, text=True, check=True).stdout
    lines = [tuple(map(int, line.split())) for line in listing.splitlines()]
    family, children = {pid}, {pid}
    while children:
        children = {child for child, parent, _ in lines if parent in family} - family
        family |= children
    return sum(rss * 1024 for child, _, rss in lines if child in family)


def ask_once(data_dir: Path) -> tuple[float, int]:
    """Seconds and peak resident bytes of one question in a new process.

    Raises:
        Undrivable: If it fails.
    """
    command = [str(RAGSTEAD), "ask", QUESTION, "--json", "--data-dir", str(data_dir)]
    began, peak = time.perf_counter(), 0
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as child:
        while child.poll() is None:
            peak = max(peak, resident_bytes(child.pid))
            time.sleep(0.02)
        seconds = time.perf_counter() - began
    if child.returncode:
        raise Undrivable(f"{' '.join(command)} ended with {child.returncode}")
    return seconds, peak


def main() -> None:
    """Prints the rows."""
    data = data_folder(__doc__)
    with tempfile.TemporaryDirectory() as work:
        store = Path(work) / "store"
        chunks = fill(store, data, Path(work), chunks=CHUNKS)
        runs = [ask_once(store) for _ in range(RUNS)]
    seconds, peak = statistics.median(s for s, _ in runs), max(p for _, p in runs) / 1e6
    report(
        [
            Row("first answer in a new process, 2,000 chunks", f"{seconds:.2f} s", "3 s", seconds <= MAX_S),
            Row("its memory at the peak", f"{peak:.0f} MB", "under 800 MB", peak < MAX_MB),
        ],
        chunks=chunks,
        seconds=[round(s, 3) for s, _ in runs],
        peak_mb=[round(p / 1e6) for _, p in runs],
    )


if __name__ == "__main__":
    main()
