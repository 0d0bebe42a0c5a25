"""`make bench` writes its rows where they belong and leaves the rest of the page alone."""

from __future__ import annotations

import bench
import pytest
from setup_env import SetupFailed

PAGE = (
    "# B\n\n<!-- table: written by make bench -->\n| what | figure | target | met |\n"
    "| --- | --- | --- | --- |\n<!-- end of table -->\n\nrest\n"
    "<!-- peers: written by make bench -->\n| old |\n<!-- end of peers -->\n"
)


def row(what: str, figure: str, *, met: bool = True) -> dict[str, object]:
    return {"what": what, "figure": figure, "target": "3 s", "met": met}


def test_row_of_the_same_name_is_replaced_and_others_stay() -> None:
    page = bench.with_rows(PAGE, [row("a", "1 s"), row("b", "2 s")])
    page = bench.with_rows(page, [row("a", "4 s", met=False)])
    lines = [line for line in page.splitlines() if line.startswith("| ")]
    assert lines[2:] == ["| a | 4 s | 3 s | **no** |", "| b | 2 s | 3 s | yes |", "| old |"]
    assert page.startswith("# B\n")
    assert "<!-- end of table -->\n\nrest\n" in page


def test_page_without_a_table_is_refused() -> None:
    with pytest.raises(SetupFailed, match="marks around its table"):
        bench.with_rows("# B\n", [row("a", "1 s")])


def test_committed_page_has_a_table_to_write() -> None:
    assert bench.TABLE.search(bench.PAGE.read_text(encoding="utf-8"))


def test_table_of_peers_is_written_anew_in_the_order_given() -> None:
    page = bench.with_peers(PAGE, [{"server": "b", "p99": "2 ms"}, {"server": "a", "p99": "absent: no wheel"}])
    assert page.endswith(
        "<!-- peers: written by make bench -->\n| server | p99 |\n| --- | --- |\n"
        "| b | 2 ms |\n| a | absent: no wheel |\n<!-- end of peers -->\n"
    )
    assert page.startswith(PAGE[: PAGE.index("<!-- peers")])


def test_benchmark_without_peers_leaves_their_table_alone() -> None:
    assert bench.with_peers(PAGE, []) == PAGE


def test_page_without_a_table_of_peers_is_refused() -> None:
    with pytest.raises(SetupFailed, match="table of peers"):
        bench.with_peers("# B\n", [{"server": "a"}])


def test_committed_page_has_a_table_of_peers_to_write() -> None:
    assert bench.PEERS.search(bench.PAGE.read_text(encoding="utf-8"))
