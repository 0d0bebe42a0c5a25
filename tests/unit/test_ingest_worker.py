"""The lanes of the ingestion worker: nothing is taken by two, and nothing is swept while it is being written."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from ragstead.model import State
from ragstead.pipelines.ingest_parts import IngestParts
from ragstead.pipelines.ingest_worker import _InHand
from ragstead.ports.ledger import Dead, Work


def work(key: int, index: str = "one", state: State = State.EMBEDDING) -> Work:
    return Work(key, "c", index, "identity", f"d{key}", "d.txt", "", "0" * 64, True, state)


@dataclass
class Records:
    """The ledger and the sweep's list as far as claims go: every call lets others run before it answers."""

    alive: Sequence[Work]
    gone: Sequence[Dead] = field(default_factory=list)

    async def claim(self, limit: int, state: State | None = None) -> list[Work]:
        found = [one for one in self.alive if one.state is state][:limit]
        await asyncio.sleep(0)
        return found

    async def dead(self, limit: int) -> list[Dead]:
        await asyncio.sleep(0)
        return list(self.gone)[:limit]


def in_hand(records: Records) -> _InHand:
    parts: Any = type("Parts", (), {"ledger": records, "sweeping": records})()
    return _InHand(cast("IngestParts", parts))


def test_claims_beside_each_other_share_no_version() -> None:
    hand = in_hand(Records([work(key) for key in range(10)]))
    taken: list[list[int]] = []

    async def lane() -> None:
        async with hand.claim(4, State.INDEXING, State.EMBEDDING) as works:
            taken.append([one.version_key for one in works])
            await asyncio.sleep(0.01)

    async def three() -> None:
        await asyncio.gather(lane(), lane(), lane())

    asyncio.run(three())
    assert taken == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_a_claim_takes_the_first_state_first_and_fills_up_with_the_next() -> None:
    hand = in_hand(Records([work(1), work(2), work(7, state=State.INDEXING)]))

    async def once() -> list[int]:
        async with hand.claim(2, State.INDEXING, State.EMBEDDING) as works:
            return [one.version_key for one in works]

    assert asyncio.run(once()) == [7, 1]
    assert asyncio.run(once()) == [7, 1], "let go of when the block ended"


def test_what_is_in_hand_is_not_swept_until_it_is_let_go_of() -> None:
    gone = [Dead("dropped", frozenset()), Dead("one", frozenset({1, 5}))]
    hand = in_hand(Records([work(1), work(2, "dropped")], gone))

    async def looked() -> tuple[list[Dead], list[Dead]]:
        async with hand.claim(9, State.EMBEDDING):
            meanwhile = await hand.free(100)
        return meanwhile, await hand.free(100)

    assert asyncio.run(looked()) == ([Dead("one", frozenset({5}))], gone)
