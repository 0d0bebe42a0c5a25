"""Random ids: none comes twice, whichever thread or process draws it."""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from ragstead.ids import long_random_id, random_id


def test_ids_are_hexadecimal_and_of_their_length() -> None:
    assert re.fullmatch("[0-9a-f]{16}", random_id())
    assert re.fullmatch("[0-9a-f]{32}", long_random_id())


def test_no_id_comes_twice_from_threads_that_draw_at_once() -> None:
    with ThreadPoolExecutor(8) as pool:
        drawn = [one for ids in pool.map(lambda _: [random_id() for _ in range(5000)], range(16)) for one in ids]
    assert len(set(drawn)) == len(drawn) == 80_000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_forked_process_draws_ids_of_its_own() -> None:
    random_id()  # so that some are waiting
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.write(write, random_id().encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(read, 16).decode()
    os.close(read)
    os.close(write)
    assert theirs not in {random_id() for _ in range(2000)}
