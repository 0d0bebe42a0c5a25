"""The pool of parsing children against files that are fine and files that are not."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest
import uvloop

from ragstead.adapters.parser_process import ParseLimits, ProcessParser
from ragstead.errors import Unavailable, UnreadableDocument

T = TypeVar("T")


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "blob"
    path.write_text("# Title\n\nWords with an é.\n", encoding="utf-8")
    return path


def within(limits: ParseLimits, work: Callable[[ProcessParser], Awaitable[T]]) -> T:
    async def run() -> T:
        async with ProcessParser(limits) as parser:
            return await work(parser)

    return asyncio.run(run())


def children() -> list[int]:
    """The children that parse; a server that other tests share may be another one."""
    listed = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text()
    return [int(one) for one in listed.split() if b"parse_child" in Path(f"/proc/{one}/cmdline").read_bytes()]


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_files_are_parsed_by_children_that_stay(page: Path, run: Callable[[Awaitable[None]], None]) -> None:
    async def main() -> None:
        async with ProcessParser(ParseLimits(processes=2)) as parser:
            for _ in range(3):
                extracted = await parser.parse(page, "a.md")
                assert extracted.text == "# Title\n\nWords with an é."
                assert [(h.start, h.end, h.level, h.title) for h in extracted.headings] == [(0, 7, 1, "Title")]
                assert len(children()) == 1
            many = await asyncio.gather(*(parser.parse(page, "a.md") for _ in range(20)))
            assert len(many) == 20
            assert len(children()) <= 2
        assert not children()

    run(main())


def test_unreadable_file_fails_with_the_reason_and_keeps_its_child(page: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    bad.write_bytes(b"%PDF-1.4 not really")

    async def work(parser: ProcessParser) -> None:
        await parser.parse(page, "a.md")
        before = children()
        with pytest.raises(UnreadableDocument, match=r"b\.pdf: damaged PDF"):
            await parser.parse(bad, "b.pdf")
        with pytest.raises(UnreadableDocument, match=r"gone\.md"):
            await parser.parse(tmp_path / "gone", "gone.md")
        assert children() == before

    within(ParseLimits(processes=1), work)


def test_file_over_the_time_limit_fails_and_the_next_is_read(page: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)  # reading it waits for a writer who never comes

    async def work(parser: ProcessParser) -> None:
        began = time.monotonic()
        with pytest.raises(UnreadableDocument, match="takes more than"):
            await parser.parse(pipe, "slow.md")
        assert time.monotonic() - began < 10

    within(ParseLimits(timeout_s=1.5), work)
    assert within(ParseLimits(), lambda parser: parser.parse(page, "a.md")).title == "Title"


def test_file_over_the_cpu_limit_fails(tmp_path: Path) -> None:
    greedy = tmp_path / "greedy"
    greedy.write_bytes(b"<p>" + b"<i>word</i> " * 2_000_000)
    with pytest.raises(UnreadableDocument, match="CPU time"):
        within(ParseLimits(cpu_s=1, memory_bytes=8 << 30), lambda parser: parser.parse(greedy, "a.html"))


@pytest.mark.skipif(sys.platform != "linux", reason="address space is limited on Linux alone")
def test_file_over_the_memory_limit_fails_and_the_next_is_read(page: Path, tmp_path: Path) -> None:
    greedy = tmp_path / "greedy"
    greedy.write_bytes(b"<p>" + b"<i>word</i> " * 300_000)

    async def work(parser: ProcessParser) -> None:
        with pytest.raises(UnreadableDocument, match=r"memory|crashed|ended"):
            await parser.parse(greedy, "a.html")
        assert (await parser.parse(page, "a.md")).title == "Title"

    within(ParseLimits(processes=1, memory_bytes=200 << 20), work)


def test_file_and_text_over_their_limits_fail(page: Path) -> None:
    for limits in (ParseLimits(max_file_bytes=5), ParseLimits(max_text_chars=5)):
        with pytest.raises(UnreadableDocument, match="more than"):
            within(limits, lambda parser: parser.parse(page, "a.md"))


def test_child_killed_from_outside_fails_its_file_alone(page: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    async def work(parser: ProcessParser) -> None:
        await parser.parse(page, "a.md")
        waiting = asyncio.create_task(parser.parse(pipe, "slow.md"))
        await asyncio.sleep(0.3)
        os.kill(children()[0], signal.SIGKILL)
        with pytest.raises(UnreadableDocument, match="was killed"):
            await waiting
        assert (await parser.parse(page, "a.md")).title == "Title"
        os.kill(children()[0], signal.SIGKILL)  # while it has no work
        await asyncio.sleep(0.3)
        assert (await parser.parse(page, "a.md")).title == "Title"

    within(ParseLimits(processes=1), work)


def test_cancelled_file_takes_its_child_along(page: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    async def work(parser: ProcessParser) -> None:
        waiting = asyncio.create_task(parser.parse(pipe, "slow.md"))
        await asyncio.sleep(0.5)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert (await parser.parse(page, "a.md")).title == "Title"

    within(ParseLimits(processes=1), work)


def test_idle_and_used_up_children_end(page: Path) -> None:
    async def idle(parser: ProcessParser) -> None:
        await parser.parse(page, "a.md")
        await asyncio.sleep(1.0)
        assert not children()
        await parser.parse(page, "a.md")

    within(ParseLimits(idle_s=0.2), idle)

    async def used_up(parser: ProcessParser) -> None:
        for _ in range(2):
            await parser.parse(page, "a.md")
            await asyncio.sleep(0.3)
            assert not children()

    within(ParseLimits(processes=1, files_per_child=1), used_up)


def test_closed_parser_reads_no_more(page: Path) -> None:
    async def main() -> None:
        parser = ProcessParser()
        await parser.aclose()
        await parser.aclose()
        with pytest.raises(Unavailable):
            await parser.parse(page, "a.md")

    asyncio.run(main())


def test_children_die_with_their_parent(page: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    program = (
        "import asyncio, os\nfrom pathlib import Path\n"
        "from ragstead.adapters.parser_process import ProcessParser\n"
        "async def main():\n"
        "    parser = ProcessParser()\n"
        f"    await parser.parse(Path({str(page)!r}), 'a.md')\n"
        "    print(Path(f'/proc/{os.getpid()}/task/{os.getpid()}/children').read_text(), flush=True)\n"
        f"    await parser.parse(Path({str(pipe)!r}), 'slow.md')\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline().split()[0])
        parent.kill()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{child}").exists() and time.monotonic() < deadline:
        if Path(f"/proc/{child}/stat").read_text().split()[2] == "Z":
            break
        time.sleep(0.05)
    else:
        assert not Path(f"/proc/{child}").exists()
