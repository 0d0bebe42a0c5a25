"""Where blocking work runs, so that the event loop does nothing but I/O."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
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


class RightOfWay(Protocol):
    """Lets who is in a hurry by: work that takes long asks between its steps, from any thread; neither call fails."""

    def hurry(self) -> AbstractContextManager[None]:
        """Return a block during which long work is held, within bounds that keep it going; several may be open."""
        ...

    def let_by(self) -> bool:
        """Return when long work may go on: at once where nobody is in a hurry.

        Whoever does long work asks every millisecond or two where True came back, as somebody has been in a hurry not
        long ago; else it may take steps of ten.
        """
        ...
