"""Requests for a model, passed on as they are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Relayed:
    """What a model's server answers.

    Attributes:
        status: Its HTTP status: 200, or a 4xx that the caller is to hear.
        media_type: Of the body.
        retry_after: What it says of when to come back; empty where it does not.
        body: The bytes as they come. Closing it hangs up, at which servers stop.
    """

    status: int
    media_type: str
    retry_after: str
    body: AsyncIterator[bytes]


class ModelRelay(Protocol):
    """Passes requests of OpenAI's chat API on to one model's server."""

    @property
    def name(self) -> str:
        """What the `model` of a request names."""
        ...

    @property
    def capabilities(self) -> Mapping[str, bool]:
        """What the model can do, by OpenAI's parameter names."""
        ...

    async def send(self, body: Mapping[str, object]) -> Relayed:
        """Send a request's body, the model's name in it replaced, and return when the answer's head has come.

        Raises:
            Unavailable: If the server can't be reached, does not know us, or fails; or, while the body is read, if it
                breaks off or is silent for too long.
        """
        ...
