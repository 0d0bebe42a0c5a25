"""The suite of `Conversations` and `ConversationTurns`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol, TypeVar

from ragstead.errors import Conflict, NotFound
from ragstead.ports.conversations import Conversations, ConversationTurns, KeptAnswer, KeptCitation, Turn
from ragstead.testing.contracts.expectations import expected

T = TypeVar("T")
A, B = "key-a", "key-b"


class ConversationStore(Conversations, ConversationTurns, Protocol):
    """Both ports over one store."""


def exchange(number: int, question: str, answer: str = "Yes [1].", collection_id: str = "vs_1") -> list[Turn]:
    """Return a question as turn `number`, and its answer."""
    citation = KeptCitation(
        1, 0, 3, 4, "a.md", "file-1", "a:1:0", "a.md", None, f"quote of {question}", 7, 12, 0.5, "supported"
    )
    kept = KeptAnswer(
        collection_id,
        f"standalone {question}",
        False,
        None,
        0.75,
        "tiny",
        "configured",
        "r-1",
        3,
        "0" * 32,
        (citation,),
    )
    return [Turn(number, "user", question, 1000 + number), Turn(number + 1, "assistant", answer, 1001 + number, kept)]


class ConversationsContract:
    """What any store of conversations does; subclasses define `opened`."""

    def opened(self, folder: Path) -> AbstractAsyncContextManager[ConversationStore]:
        """Open a new store."""
        raise AssertionError("a suite says what it tests")

    def given(self, folder: Path, work: Callable[[ConversationStore], Awaitable[T]]) -> T:
        """Return what `work` returns of an empty store."""

        async def run() -> T:
            async with self.opened(folder) as store:
                return await work(store)

        return asyncio.run(run())

    def test_turns_come_back_as_they_were_with_their_citations(self, tmp_path: Path) -> None:
        async def work(store: ConversationStore) -> None:
            made = await store.begin(A, "Leave")
            grown = await store.append(A, made.conversation_id, [*exchange(1, "q1"), *exchange(3, "q2")])
            assert (grown.turns, grown.title, grown.updated_at, grown.collections) == (4, "Leave", 1004, ("vs_1",))
            assert await store.read(A, made.conversation_id, limit=9) == [*exchange(1, "q1"), *exchange(3, "q2")]

        self.given(tmp_path, work)

    def test_turns_are_read_by_pages_in_both_orders(self, tmp_path: Path) -> None:
        async def work(store: ConversationStore) -> None:
            conversation_id = (await store.begin(A)).conversation_id
            await store.append(A, conversation_id, [*exchange(1, "q1"), *exchange(3, "q2")])
            for newest_first, after, wanted in (
                (False, 0, [1, 2]),
                (False, 2, [3, 4]),
                (True, 0, [4, 3]),
                (True, 3, [2, 1]),
                (True, 1, []),
            ):
                turns = await store.read(A, conversation_id, limit=2, after=after, newest_first=newest_first)
                assert [one.number for one in turns] == wanted

        self.given(tmp_path, work)

    def test_turns_that_do_not_follow_are_refused_and_nothing_of_them_stays(self, tmp_path: Path) -> None:
        async def work(store: ConversationStore) -> None:
            conversation_id = (await store.begin(A)).conversation_id
            await store.append(A, conversation_id, exchange(1, "q1"))
            for number in (1, 2, 4):
                with expected(Conflict):
                    await store.append(A, conversation_id, exchange(number, "late"))
            assert [one.content for one in await store.read(A, conversation_id, limit=9)] == ["q1", "Yes [1]."]
            assert (await store.find(A, conversation_id)).turns == 2

        self.given(tmp_path, work)

    def test_of_several_that_append_at_once_one_wins(self, tmp_path: Path) -> None:
        async def work(store: ConversationStore) -> None:
            conversation_id = (await store.begin(A)).conversation_id
            tried = [store.append(A, conversation_id, exchange(1, f"q{i}")) for i in range(8)]
            ended = await asyncio.gather(*tried, return_exceptions=True)
            assert sum(isinstance(one, Conflict) for one in ended) == 7
            assert (await store.find(A, conversation_id)).turns == 2

        self.given(tmp_path, work)

    def test_what_is_anothers_is_not_there(self, tmp_path: Path) -> None:
        async def work(store: ConversationStore) -> None:
            conversation_id = (await store.begin(A)).conversation_id
            await store.append(A, conversation_id, exchange(1, "q1"))
            for one in (conversation_id, "conv_nowhere", "", "conv_\x00", "x" * 10_000):
                for attempt in (
                    store.find(B, one),
                    store.rename(B, one, "mine"),
                    store.delete(B, one),
                    store.list(B, limit=9, after=one),
                    store.read(B, one, limit=9),
                    store.append(B, one, exchange(3, "q2")),
                    store.summarise(B, one, "s", 2),
                ):
                    with expected(NotFound):
                        await attempt
            assert await store.list(B, limit=9) == []
            assert (await store.find(A, conversation_id)).turns == 2

        self.given(tmp_path, work)

    def test_lists_are_cut_by_pages_in_both_orders(self, tmp_path: Path) -> None:
        async def work(store: ConversationStore) -> None:
            ids = [(await store.begin(A, str(i))).conversation_id for i in range(5)]
            await store.begin(B)
            newest = await store.list(A, limit=2, after=ids[4])
            assert [one.conversation_id for one in newest] == [ids[3], ids[2]]
            oldest = await store.list(A, limit=9, after=ids[1], newest_first=False)
            assert [one.conversation_id for one in oldest] == ids[2:]

        self.given(tmp_path, work)

    def test_title_is_taken_once_and_changed_by_its_owner_alone(self, tmp_path: Path) -> None:
        async def work(store: ConversationStore) -> None:
            conversation_id = (await store.begin(A)).conversation_id
            await store.append(A, conversation_id, exchange(1, "q1"), "first")
            grown = await store.append(A, conversation_id, exchange(3, "q2"), "second")
            assert grown.title == "first"
            assert (await store.rename(A, conversation_id, "third")).title == "third"
            assert (await store.find(A, conversation_id)).title == "third"

        self.given(tmp_path, work)

    def test_summary_is_replaced(self, tmp_path: Path) -> None:
        async def work(store: ConversationStore) -> None:
            conversation_id = (await store.begin(A)).conversation_id
            await store.append(A, conversation_id, exchange(1, "q1"))
            await store.summarise(A, conversation_id, "old", 1)
            await store.summarise(A, conversation_id, "new", 2)
            found = await store.find(A, conversation_id)
            assert (found.summary, found.summarised) == ("new", 2)

        self.given(tmp_path, work)

    def test_deleted_is_gone_and_the_others_stay(self, tmp_path: Path) -> None:
        async def work(store: ConversationStore) -> None:
            gone, stays = [(await store.begin(A)).conversation_id for _ in range(2)]
            for one in (gone, stays):
                await store.append(A, one, exchange(1, f"question of {one}"))
            await store.delete(A, gone)
            for attempt in (store.find(A, gone), store.read(A, gone, limit=1), store.delete(A, gone)):
                with expected(NotFound):
                    await attempt
            assert [one.conversation_id for one in await store.list(A, limit=9)] == [stays]
            assert len(await store.read(A, stays, limit=9)) == 2

        self.given(tmp_path, work)

    def test_texts_that_no_database_holds_are_kept_as_near_as_it_can(self, tmp_path: Path) -> None:
        async def work(store: ConversationStore) -> None:
            conversation_id = (await store.begin(A, "a\x00b")).conversation_id
            await store.append(A, conversation_id, exchange(1, "x\x00y\ud800z", "é😀"))
            question, answer = await store.read(A, conversation_id, limit=9)
            assert (question.content, answer.content) == ("x\ufffdy?z", "é😀")
            assert (await store.find(A, conversation_id)).title == "a\ufffdb"

        self.given(tmp_path, work)
