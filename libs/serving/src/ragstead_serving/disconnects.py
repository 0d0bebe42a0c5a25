"""Work that ends when its caller is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

from starlette.types import Receive

T = TypeVar("T")


class ClientGone(Exception):
    """Raised where the client hung up before its answer was done."""


async def while_connected(receive: Receive, work: Coroutine[object, object, T]) -> T:
    """Return what `work` returns; cancel it, and wait for its end, when the client hangs up.

    Args:
        receive: Of a request whose body has been read.
        work: What the client waits for.

    Raises:
        ClientGone: If the client hung up first.
    """
    caller = asyncio.current_task()
    assert caller is not None
    watching = asyncio.create_task(_watch(receive, caller))
    try:
        return await work
    except asyncio.CancelledError:
        if not watching.done() or caller.uncancel():  # somebody else cancelled
            raise
        raise ClientGone from None
    finally:
        watching.cancel()


async def _watch(receive: Receive, caller: asyncio.Task[object]) -> None:
    """Cancel who waits when the client hangs up."""
    while (await receive())["type"] != "http.disconnect":
        pass
    caller.cancel()
