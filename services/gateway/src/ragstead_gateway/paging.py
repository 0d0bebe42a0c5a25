"""Pages of lists, as OpenAI's API cuts them: `limit`, `after` and `order`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from ragstead.errors import InvalidRequest

T = TypeVar("T")
STEP = 1000
"""Items read from a port at once."""
Order = Literal["asc", "desc"]


class Query(BaseModel):
    """Is a query string: an unknown parameter is an error."""

    model_config = ConfigDict(extra="forbid")


class PageQuery(Query):
    """Which part of a list.

    Attributes:
        limit: Items wanted.
        after: Id of the item that the page follows.
        order: By time of creation.
    """

    limit: int = Field(default=20, ge=1, le=100)
    after: str | None = None
    order: Order = "desc"


async def walk(read: Callable[[str | None], Awaitable[Sequence[T]]], id_of: Callable[[T], str]) -> AsyncIterator[T]:
    """Yield every item behind a port's paged list.

    Args:
        read: Returns the page, of at most a thousand, that follows an id.
        id_of: That id of an item.
    """
    after: str | None = None
    while page := await read(after):
        for item in page:
            yield item
        if len(page) < STEP:
            return
        after = id_of(page[-1])


async def cut(items: AsyncIterator[T], limit: int) -> tuple[list[T], bool]:
    """Return the first `limit` items, and whether there are more."""
    out: list[T] = []
    async for item in items:
        if len(out) == limit:
            return out, True
        out.append(item)
    return out, False


def slice_after(items: Sequence[T], after: str | None, limit: int, id_of: Callable[[T], str]) -> tuple[list[T], bool]:
    """Return the `limit` items that follow the one called `after`, and whether there are more.

    Raises:
        InvalidRequest: If no item is called `after`.
    """
    begin = 0
    if after is not None:
        ids = [id_of(item) for item in items]
        if after not in ids:
            raise InvalidRequest(f"after: nothing in this list is called {after!r:.80}", param="after")
        begin = ids.index(after) + 1
    return list(items[begin : begin + limit]), len(items) > begin + limit
