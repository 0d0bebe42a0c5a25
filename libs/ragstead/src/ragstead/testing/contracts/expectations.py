"""What the suites share: the keys and scopes they use, and how they compare."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from ragstead.errors import RagsteadError
from ragstead.model import Scope, chunk_key
from ragstead.ports.vector_index import Scores

NOTHING = Scope(exclude=False)
A0, A1, B0, B1, C0 = (chunk_key(version, position) for version, position in [(1, 0), (1, 1), (2, 0), (2, 1), (3, 0)])
ONLY_B = Scope(frozenset([2]), exclude=False)
ALL_BUT_B = Scope(frozenset([2]), exclude=True)


@contextmanager
def expected(error: type[RagsteadError]) -> Iterator[None]:
    """Pass where the block raises `error`, fail where it does not."""
    try:
        yield
    except error as raised:
        assert str(raised), f"{error.__name__} says nothing"  # noqa: PT017
    else:
        raise AssertionError(f"{error.__name__} was not raised")


def close_to(found: Scores, wanted: Scores, tolerance: float = 1e-5) -> None:
    """Pass where both hold the same keys in the same order with the same scores."""
    assert list(found) == list(wanted), (found, wanted)
    assert np.allclose(list(found.values()), list(wanted.values()), atol=tolerance), (found, wanted)
