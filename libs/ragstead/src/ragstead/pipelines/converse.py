"""Questions with a history: condensed before they are searched, and kept where the server keeps the conversation."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, replace

from ragstead.errors import Conflict, NotFound
from ragstead.model import Answer, Citation, Collection
from ragstead.pipelines.asking import Answerer, AskRequest
from ragstead.pipelines.recall import Memory, Standalone
from ragstead.ports.conversations import (
    Conversation,
    Conversations,
    ConversationTurns,
    KeptAnswer,
    KeptCitation,
    Turn,
)
from ragstead.ports.generator import Message
from ragstead.tracing import span

_TITLE_CHARS = 80


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A question that stands alone, and how it came to."""

    request: AskRequest
    condensed: Standalone
    condense_ms: float

    def stamped(self, answer: Answer) -> Answer:
        """Return the answer with what was searched on its receipt."""
        timings = {**answer.receipt.timings_ms, "condense": round(self.condense_ms, 3)}
        timings["total"] = round(answer.receipt.timings_ms.get("total", 0.0) + self.condense_ms, 3)
        question = self.condensed.question if self.condensed.by else ""
        receipt = replace(answer.receipt, question=question, condensed_by=self.condensed.by, timings_ms=timings)
        return replace(answer, receipt=receipt)


class ConversationPipeline(Answerer):
    """Answers as the pipeline behind it does, with the history in mind.

    A turn is kept when its answer is finished, question and answer in one commit, before the answer's end is shown: an
    answer that broke off, or that nobody waited for, leaves nothing.

    Args:
        answerer: Answers.
        memory: Condenses, and recalls.
        collection: Finds a collection by name or id, without its counts.
        conversations: What is kept.
        turns: The same, as it grows.
        clock: Unix seconds.
    """

    def __init__(
        self,
        answerer: Answerer,
        memory: Memory,
        collection: Callable[[str], Awaitable[Collection]],
        conversations: Conversations,
        turns: ConversationTurns,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._answerer = answerer
        self._memory = memory
        self._collection = collection
        self._conversations = conversations
        self._turns = turns
        self._clock = clock
        self._busy: set[tuple[str, str]] = set()

    async def stream(self, request: AskRequest) -> AsyncGenerator[str | Answer, None]:
        """Yield the answer's text as it is checked, and last the answer, whose content is all of it.

        Raises:
            NotFound: If the collection, or the owner's conversation, is not there.
            Conflict: If another turn of the conversation is being answered.
            Unavailable: If a part is down.
        """
        following = self._kept(request) if request.conversation_id is not None else self._sent(request)
        async with aclosing(following) as pieces:
            async for piece in pieces:
                yield piece

    async def _sent(self, request: AskRequest) -> AsyncGenerator[str | Answer, None]:
        """Answer the last turn of a conversation that the caller keeps."""
        if not any(one.role == "user" for one in request.messages[:-1]):
            async with aclosing(self._answerer.stream(request)) as pieces:
                async for piece in pieces:
                    yield piece
            return
        may_leave = not self._memory.leaves or await self._all_may_leave([request.collection])
        prepared = await self._prepare(request, request.messages[:-1], may_leave=may_leave)
        async with aclosing(self._answerer.stream(prepared.request)) as pieces:
            async for piece in pieces:
                yield prepared.stamped(piece) if isinstance(piece, Answer) else piece

    async def _kept(self, request: AskRequest) -> AsyncGenerator[str | Answer, None]:
        """Answer the next turn of a conversation that the server keeps, and keep it."""
        conversation_id = request.conversation_id or ""
        with self._claim(request.owner, conversation_id):
            conversation = await self._conversations.find(request.owner, conversation_id)
            collection = await self._collection(request.collection)
            may_leave = collection.may_leave and await self._all_may_leave(conversation.collections)
            with span("recall") as step:
                recalled = await self._memory.recall(conversation, may_leave=may_leave)
                if step is not None:
                    step.facts["turns"] = conversation.turns
            wishes = tuple(one for one in request.messages if one.role == "system")
            spoken = Message("user", request.messages[-1].content if request.messages else request.question)
            prepared = await self._prepare(
                replace(
                    request,
                    messages=(*wishes, *recalled.history, spoken),
                    history_may_leave=may_leave,
                    affinity=conversation_id,
                    private=True,
                ),
                recalled.recent,
                may_leave=may_leave,
            )
            async with aclosing(self._answerer.stream(prepared.request)) as pieces:
                async for piece in pieces:
                    if not isinstance(piece, Answer):
                        yield piece
                        continue
                    answer = prepared.stamped(piece)
                    await self._keep(conversation, spoken.content, answer, collection.collection_id)
                    yield answer

    @contextmanager
    def _claim(self, owner: str, conversation_id: str) -> Iterator[None]:
        """Hold the conversation: one turn is answered at a time."""
        key = (owner, conversation_id)
        if key in self._busy:
            raise Conflict(
                f"conversation {conversation_id[:80]!r} is answering another turn; ask again when that is done"
            )
        self._busy.add(key)
        try:
            yield
        finally:
            self._busy.discard(key)

    async def _prepare(self, request: AskRequest, earlier: tuple[Message, ...], *, may_leave: bool) -> _Prepared:
        began = time.perf_counter()
        with span("condense") as step:
            condensed = await self._memory.condense(request.question, earlier, may_leave=may_leave)
            if step is not None:
                step.input, step.output = request.question, condensed.question
                step.facts |= {"by": condensed.by or "nobody", "turns": len(earlier)}
        spent_ms = (time.perf_counter() - began) * 1000
        return _Prepared(replace(request, question=condensed.question), condensed, spent_ms)

    async def _all_may_leave(self, collections: list[str] | tuple[str, ...]) -> bool:
        """Return whether each collection says `egress: allow`; one that is no longer there can't say so."""
        for one in collections:
            try:
                if not (await self._collection(one)).may_leave:
                    return False
            except NotFound:
                return False
        return True

    async def _keep(self, conversation: Conversation, question: str, answer: Answer, collection_id: str) -> None:
        now, number = int(self._clock()), conversation.turns + 1
        kept = [
            Turn(number, "user", question, now),
            Turn(number + 1, "assistant", answer.content, now, kept_answer(answer, collection_id, question)),
        ]
        await self._turns.append(conversation.owner, conversation.conversation_id, kept, title_of(question))


def title_of(question: str) -> str:
    """Return a title for a conversation that begins with this question."""
    title = " ".join(question.split())
    return title if len(title) <= _TITLE_CHARS else f"{title[: _TITLE_CHARS - 1]}…"


def kept_answer(answer: Answer, collection_id: str, question: str) -> KeptAnswer:
    """Return what is needed to show an answer again."""
    receipt = answer.receipt
    return KeptAnswer(
        collection_id=collection_id,
        question=receipt.question or question,
        refused=answer.refused,
        reason=answer.reason.value if answer.reason else None,
        p_supported=answer.p_supported,
        model=receipt.model,
        route=receipt.route,
        release=receipt.release,
        collection_version=receipt.collection_version,
        trace_id=receipt.trace_id,
        citations=tuple(_kept_citation(one) for one in answer.citations),
    )


def _kept_citation(citation: Citation) -> KeptCitation:
    stored = citation.stored
    return KeptCitation(
        n=citation.n,
        start=citation.start,
        end=citation.end,
        mark=citation.mark,
        document_id=stored.document_id,
        file_id=stored.file_id,
        chunk_id=stored.chunk_id,
        filename=stored.filename,
        page=stored.chunk.page_at(citation.quote_start),
        quote=citation.quote,
        quote_start=citation.quote_start,
        quote_end=citation.quote_end,
        score=citation.score,
        verdict=citation.verdict.value,
    )
