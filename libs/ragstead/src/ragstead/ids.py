"""Random ids by the thousand: the system is asked for randomness by the page, as each time costs a thread its turn."""

from __future__ import annotations

import os

_DIGITS = 16
_AT_ONCE_BYTES = 4096
_waiting: list[str] = []  # threads share it: taking one and adding some are single steps


def random_id() -> str:
    """Return 16 hexadecimal digits that nobody can foresee; as safe between threads and forks as `secrets` is."""
    while True:
        try:
            return _waiting.pop()
        except IndexError:
            drawn = os.urandom(_AT_ONCE_BYTES).hex()
            _waiting.extend([drawn[at : at + _DIGITS] for at in range(0, len(drawn), _DIGITS)])


def long_random_id() -> str:
    """Return 32 of them."""
    return random_id() + random_id()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_waiting.clear)
