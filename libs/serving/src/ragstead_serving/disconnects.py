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
    working = asyncio.ensure_future(work)
    hang_up = asyncio.ensure_future(_hang_up(receive))
    try:
        await asyncio.wait({working, hang_up}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientGone
        return working.result()
    finally:
        working.cancel()
        hang_up.cancel()
        await asyncio.gather(working, hang_up, return_exceptions=True)


async def _hang_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
