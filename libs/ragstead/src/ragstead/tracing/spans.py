"""The span that is being worked on, and how others begin and end within it.

Which one that is follows the work through `await` and into tasks that it starts. An asynchronous generator runs in
the context of whoever asks it for its next item, so that a span left open in it would leak out between two items, and
another question's work would be booked on it: such a one goes through `stepping`, which holds the span only while an
item is being made.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import TypeVar

from ragstead.ports.tracer import Kind, Span, Trace, TraceContext

T = TypeVar("T")
_current: ContextVar[Span | None] = ContextVar("ragstead_span", default=None)
HUNG_UP = "cancelled"
"""The error of a span whose work was given up: the client hung up, or the server stopped."""


def current() -> Span | None:
    """Return the span that is being worked on; None where nobody wants to know."""
    return _current.get()


def begin_trace(context: TraceContext, name: str, kind: Kind, session: str = "") -> Span:
    """Return the root of a new trace; it is not made the current one."""
    trace = Trace(context, name, session)
    root = Span(name, kind, context.parent_id, trace, context.span_id)
    trace.spans.append(root)
    return root


def child_of(parent: Span, name: str, kind: Kind = Kind.SPAN) -> Span:
    """Return a new span within `parent`; it is not made the current one."""
    begun = Span(name, kind, parent.span_id, parent.trace)
    parent.trace.spans.append(begun)
    return begun


def ended(one: Span) -> Span:
    """End the span, if it has not ended yet."""
    if not one.ended_ns:
        one.ended_ns = time.time_ns()
    return one


def failed(one: Span, error: BaseException) -> None:
    """Book what was raised on the span."""
    if isinstance(error, asyncio.CancelledError | GeneratorExit):
        one.error, one.message = HUNG_UP, "nobody waited any more: the client hung up, or the server stopped"
    else:
        one.error, one.message = type(error).__name__, str(error)


class _Opened:
    """A span as a block: the current one within, ended behind it."""

    __slots__ = ("_span", "_token")

    def __init__(self, opened: Span) -> None:
        self._span = opened

    def __enter__(self) -> Span:
        self._token = _current.set(self._span)
        return self._span

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        _current.reset(self._token)
        if error is not None:
            failed(self._span, error)
        ended(self._span)


class _Unwanted:
    """The block where nobody wants to know."""

    __slots__ = ()

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        return None


_UNWANTED = _Unwanted()


def span(name: str, kind: Kind = Kind.SPAN) -> _Opened | _Unwanted:
    """Return a block that is a span within the current one, given as None where there is none.

    Not around a `yield`: see `stepping`.
    """
    parent = _current.get()
    return _UNWANTED if parent is None else _Opened(child_of(parent, name, kind))


@contextmanager
def apart() -> Iterator[None]:
    """Have nobody know of what is begun in a block, tasks among it, whatever is being worked on."""
    token = _current.set(None)
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def within(opened: Span) -> Iterator[None]:
    """Make the span the current one for a block, which does not end it."""
    token = _current.set(opened)
    try:
        yield
    finally:
        _current.reset(token)


async def stepping(items: AsyncIterator[T], opened: Span) -> AsyncGenerator[T, None]:
    """Yield the items, each made while the span is the current one; between them it is not, and it is not ended.

    Closing this closes `items`, within the span too, where they can be closed.
    """
    try:
        while True:
            token = _current.set(opened)
            try:
                item = await anext(items)
            except StopAsyncIteration:
                return
            finally:
                _current.reset(token)
            yield item
    finally:
        close = getattr(items, "aclose", None)
        if close is not None:
            with within(opened):
                await close()


async def followed(
    items: AsyncIterator[T], opened: Span, heed: Callable[[T], bool], end: Callable[[Trace], None] | None = None
) -> AsyncGenerator[T, None]:
    """Yield the items as `stepping` does, and end the span with them; what they raise, or a hang-up, is booked on it.

    Args:
        items: What is made within the span.
        opened: Ended when they end.
        heed: Told of each before it is yielded; True for one behind which nothing is missed.
        end: Told of the trace when the span has ended.
    """
    whole = False
    made = stepping(items, opened)
    try:
        async for item in made:
            whole = heed(item) or whole
            yield item
    except BaseException as error:
        if not (whole and isinstance(error, GeneratorExit)):
            failed(opened, error)
        raise
    finally:
        await made.aclose()
        ended(opened)
        if end is not None:
            end(opened.trace)
