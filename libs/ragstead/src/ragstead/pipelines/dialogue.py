"""A language model that reads conversations: it makes questions stand alone, and sums up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass

from ragstead.errors import InvalidRequest, Overloaded, Unavailable
from ragstead.pipelines.route import CircuitBreaker
from ragstead.ports.chat_model import ChatModel, ChatRequest
from ragstead.ports.generator import Sampling
from ragstead.prompting import DialogueTemplate
from ragstead.streams import closing

_log = logging.getLogger(__name__)
_CHARS_A_TOKEN = 16
"""A model that writes more than this for each of its tokens is talking nonsense."""


@dataclass(frozen=True, slots=True)
class DialogueModel:
    """A model and how it is asked about conversations.

    Attributes:
        model: What reads.
        templates: By name, as `prompting.DIALOGUE_SLOTS` has them.
        breaker: Rests it when it fails.
        patience_s: Seconds for a whole answer.
        leaves: Whether the conversation leaves this house for it.
    """

    model: ChatModel
    templates: Mapping[str, DialogueTemplate]
    breaker: CircuitBreaker
    patience_s: float
    leaves: bool = False

    @property
    def name(self) -> str:
        """The model's name."""
        return self.model.name

    def may_read(self, *, may_leave: bool) -> bool:
        """Return whether it may be shown a conversation whose collections say, or do not say, `egress: allow`."""
        return may_leave or not self.leaves

    async def write(self, template: str, max_tokens: int, **slots: str) -> str | None:
        """Return what the model writes; None where it fails, is cut off, or is silent: its work can be done without.

        Args:
            template: Which of its templates.
            max_tokens: Of its answer.
            slots: What fills the template's slots.
        """
        if not self.breaker.admits():
            return None
        request = ChatRequest(self.templates[template].write(**slots), Sampling(temperature=0, max_tokens=max_tokens))
        try:
            async with asyncio.timeout(self.patience_s):
                text, finished = await self._read(request, max_tokens * _CHARS_A_TOKEN)
        except (Unavailable, TimeoutError) as error:
            self.breaker.failed()
            _log.warning("%s: model %s: %s", template, self.name, str(error) or f"silent for {self.patience_s} s")
            return None
        except (Overloaded, InvalidRequest) as error:
            _log.warning("%s: model %s: %s", template, self.name, error)
            return None
        self.breaker.succeeded()
        return (text.strip() or None) if finished else None

    async def _read(self, request: ChatRequest, max_chars: int) -> tuple[str, bool]:
        """Return what it writes, and whether it came to an end by itself."""
        text = ""
        async with aclosing(closing(self.model.chat(request))) as pieces:
            async for piece in pieces:
                text += piece.text
                if len(text) > max_chars:
                    return text, False
                if piece.finish_reason is not None:
                    return text, piece.finish_reason == "stop"
        return text, True
