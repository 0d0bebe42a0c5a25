"""What an embedding model does, told to whoever measures."""

from __future__ import annotations

from typing import Protocol


class EmbeddingEvents(Protocol):
    """Hears of the work of one model; calls are cheap and never fail."""

    def queued(self, tokens: int) -> None:
        """Hear that so many tokens wait now, all lanes together."""
        ...

    def began(self, lane: str, waited_s: float) -> None:
        """Hear that the first pass of a request began, and how long it had waited; `lane` as `EncodeQueue` names it."""
        ...

    def encoded(self, rows: int, tokens: int) -> None:
        """Hear that one pass is done."""
        ...

    def looked_up(self, hits: int, misses: int) -> None:
        """Hear what the cache knew of one request."""
        ...

    def cache_failed(self) -> None:
        """Hear that the cache could not be asked, or could not keep what it was given."""
        ...


class EmbeddingRelay:
    """Is `EmbeddingEvents` for all that are in `listeners`, which whoever measures adds itself to; nobody at first."""

    def __init__(self) -> None:
        self.listeners: list[EmbeddingEvents] = []

    def queued(self, tokens: int) -> None:
        """Pass it on."""
        for listener in self.listeners:
            listener.queued(tokens)

    def began(self, lane: str, waited_s: float) -> None:
        """Pass it on."""
        for listener in self.listeners:
            listener.began(lane, waited_s)

    def encoded(self, rows: int, tokens: int) -> None:
        """Pass it on."""
        for listener in self.listeners:
            listener.encoded(rows, tokens)

    def looked_up(self, hits: int, misses: int) -> None:
        """Pass it on."""
        for listener in self.listeners:
            listener.looked_up(hits, misses)

    def cache_failed(self) -> None:
        """Pass it on."""
        for listener in self.listeners:
            listener.cache_failed()
