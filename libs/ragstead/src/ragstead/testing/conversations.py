"""Conversations in memory: the fake of both ports, which pass the contract suite of the adapters."""

from __future__ import annotations

import builtins
import itertools
import time
from collections.abc import Sequence
from dataclasses import replace

from ragstead.errors import Conflict, NotFound
from ragstead.ports.conversations import Conversation, Turn
from ragstead.surrogates import without_surrogates


class MemoryConversations:
    """Is `Conversations` and `ConversationTurns`, in dictionaries."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._kept: dict[str, Conversation] = {}
        self._turns: dict[str, builtins.list[Turn]] = {}

    async def find(self, owner: str, conversation_id: str) -> Conversation:
        """Return the conversation."""
        kept = self._kept.get(conversation_id)
        if kept is None or kept.owner != owner:
            raise NotFound("conversation", conversation_id[:80], "`GET /v1/conversations` lists yours")
        return kept

    async def list(
        self, owner: str, *, limit: int, after: str | None = None, newest_first: bool = True
    ) -> list[Conversation]:
        """Return a page of the owner's."""
        own = [one for one in self._kept.values() if one.owner == owner]
        ordered = own[::-1] if newest_first else own
        if after is not None:
            ordered = ordered[ordered.index(await self.find(owner, after)) + 1 :]
        return ordered[:limit]

    async def rename(self, owner: str, conversation_id: str, title: str) -> Conversation:
        """Give it another title."""
        kept = await self.find(owner, conversation_id)
        self._kept[conversation_id] = replace(kept, title=_clean(title), updated_at=int(time.time()))
        return self._kept[conversation_id]

    async def delete(self, owner: str, conversation_id: str) -> None:
        """Forget it."""
        await self.find(owner, conversation_id)
        del self._kept[conversation_id], self._turns[conversation_id]

    async def begin(self, owner: str, title: str = "") -> Conversation:
        """Add a conversation."""
        now = int(time.time())
        made = Conversation(f"conv_{next(self._numbers):024x}", owner, _clean(title), now, now)
        self._kept[made.conversation_id], self._turns[made.conversation_id] = made, []
        return made

    async def read(
        self, owner: str, conversation_id: str, *, limit: int, after: int = 0, newest_first: bool = False
    ) -> builtins.list[Turn]:
        """Return a page of turns."""
        await self.find(owner, conversation_id)
        turns = self._turns[conversation_id][:: -1 if newest_first else 1]
        follow = [one for one in turns if not after or (one.number < after if newest_first else one.number > after)]
        return follow[:limit]

    async def append(self, owner: str, conversation_id: str, turns: Sequence[Turn], title: str = "") -> Conversation:
        """Add turns."""
        kept = await self.find(owner, conversation_id)
        if [one.number for one in turns] != [*range(kept.turns + 1, kept.turns + 1 + len(turns))]:
            raise Conflict(f"conversation {conversation_id!r} has grown meanwhile; ask again")
        self._turns[conversation_id] += [replace(one, content=_clean(one.content)) for one in turns]
        used = [one.answer.collection_id for one in turns if one.answer is not None]
        self._kept[conversation_id] = replace(
            kept,
            turns=kept.turns + len(turns),
            title=kept.title or _clean(title),
            updated_at=turns[-1].created_at,
            collections=tuple(dict.fromkeys([*kept.collections, *used])),
        )
        return self._kept[conversation_id]

    async def summarise(self, owner: str, conversation_id: str, summary: str, summarised: int) -> None:
        """Keep a summary."""
        kept = await self.find(owner, conversation_id)
        self._kept[conversation_id] = replace(kept, summary=_clean(summary), summarised=summarised)


def _clean(text: str) -> str:
    return without_surrogates(text).replace("\x00", "\ufffd")
