"""Where blocking work runs, so that the event loop does nothing but I/O."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class WorkPool(Protocol):
    """Runs synchronous work off the event loop, in a bounded number of threads."""

    async def run(self, work: Callable[[], T]) -> T:
        """Return what `work` returns, or raise what it raises.

        Work that waits for a thread when its caller is cancelled is not started; work that has begun runs to its end.

        Raises:
            Overloaded: If more work waits than the pool's queue holds.
        """
        ...


class Courtesy(Protocol):
    """Workers that leave a core to who is in a hurry; both calls are cheap and never fail."""

    def step_aside(self) -> None:
        """Leave the core of the calling thread, at once and until `come_back`, where there is another one."""
        ...

    def come_back(self) -> None:
        """Run on every core again. Without a `step_aside` before it a no-op."""
        ...
