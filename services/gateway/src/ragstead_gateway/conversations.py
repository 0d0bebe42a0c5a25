"""`/v1/conversations`: what the server keeps of conversations, for their owners alone."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Body, Path, Request, Response
from fastapi import Query as InQuery

from ragstead.errors import InvalidRequest, NotFound
from ragstead.ports.conversations import Conversation, KeptCitation, Turn
from ragstead.wire import (
    Annotation,
    CitationView,
    ConversationBody,
    ConversationChange,
    ConversationItem,
    ConversationItems,
    ConversationList,
    ConversationView,
    DeletedView,
    ItemText,
    KeptRag,
)
from ragstead_gateway.examples import CONVERSATION, CONVERSATION_CHANGE
from ragstead_gateway.facade import Platform
from ragstead_gateway.paging import PageQuery
from ragstead_serving.auth import caller_of
from ragstead_serving.openapi import errors
from ragstead_serving.responses import JsonResponse, ServiceRoute

_PATH = "/v1/conversations"
_ITEM = re.compile(r"(conv_[0-9a-f]{24})_([1-9][0-9]{0,8})")
ConversationId = Annotated[str, Path(min_length=1, description="A conversation's id.")]


def conversations_router(platform: Platform) -> APIRouter:
    """Return the routes `/v1/conversations…`; what belongs to another key is not there."""
    router = APIRouter(route_class=ServiceRoute, tags=["conversations"])
    _add_lists(router, platform)
    _add_singles(router, platform)
    return router


def _add_lists(router: APIRouter, platform: Platform) -> None:
    @router.post(_PATH, response_model=ConversationView, responses=errors())
    async def create_conversation(
        request: Request, body: Annotated[ConversationBody | None, Body(openapi_examples=CONVERSATION)] = None
    ) -> Response:
        """Begin a conversation; without a title the first question becomes it."""
        title = body.title if body is not None else None
        return JsonResponse(conversation_view(await platform.conversation_turns.begin(caller_of(request), title or "")))

    @router.get(_PATH, response_model=ConversationList, responses=errors())
    async def list_conversations(request: Request, query: Annotated[PageQuery, InQuery()]) -> Response:
        """List the caller's conversations."""
        try:
            found = await platform.conversations.list(
                caller_of(request), limit=query.limit + 1, after=query.after, newest_first=query.order == "desc"
            )
        except NotFound as exc:
            raise _nothing_called(query.after) from exc
        views = [conversation_view(one) for one in found[: query.limit]]
        first_id, last_id = (views[0].id, views[-1].id) if views else (None, None)
        has_more = len(found) > query.limit
        return JsonResponse(ConversationList(data=views, first_id=first_id, last_id=last_id, has_more=has_more))


def _add_singles(router: APIRouter, platform: Platform) -> None:
    @router.get(_PATH + "/{conversation}", response_model=ConversationView, responses=errors(404))
    async def retrieve_conversation(request: Request, conversation: ConversationId) -> Response:
        """Show a conversation without its turns."""
        return JsonResponse(conversation_view(await platform.conversations.find(caller_of(request), conversation)))

    @router.get(_PATH + "/{conversation}/items", response_model=ConversationItems, responses=errors(404))
    async def list_conversation_items(
        request: Request, conversation: ConversationId, query: Annotated[PageQuery, InQuery()]
    ) -> Response:
        """List the turns of a conversation, answers with their citations."""
        owner = caller_of(request)
        await platform.conversations.find(owner, conversation)
        turns = await platform.conversation_turns.read(
            owner,
            conversation,
            limit=query.limit + 1,
            after=_number(conversation, query.after),
            newest_first=query.order == "desc",
        )
        views = [item_view(conversation, one) for one in turns[: query.limit]]
        first_id, last_id = (views[0].id, views[-1].id) if views else (None, None)
        has_more = len(turns) > query.limit
        return JsonResponse(ConversationItems(data=views, first_id=first_id, last_id=last_id, has_more=has_more))

    @router.post(_PATH + "/{conversation}", response_model=ConversationView, responses=errors(404))
    async def rename_conversation(
        request: Request,
        conversation: ConversationId,
        body: Annotated[ConversationChange, Body(openapi_examples=CONVERSATION_CHANGE)],
    ) -> Response:
        """Give a conversation another title."""
        renamed = await platform.conversations.rename(caller_of(request), conversation, body.title)
        return JsonResponse(conversation_view(renamed))

    @router.delete(_PATH + "/{conversation}", response_model=DeletedView, responses=errors(404))
    async def delete_conversation(request: Request, conversation: ConversationId) -> Response:
        """Delete a conversation: its turns, its summary and its title are gone for good."""
        await platform.conversations.delete(caller_of(request), conversation)
        return JsonResponse(DeletedView(id=conversation, object="conversation.deleted"))


def conversation_view(conversation: Conversation) -> ConversationView:
    """Return what is shown of a conversation."""
    return ConversationView(
        id=conversation.conversation_id,
        created_at=conversation.created_at,
        updated_at=conversation.updated_at,
        title=conversation.title or None,
        items=conversation.turns,
        summary=conversation.summary or None,
        summarised_items=conversation.summarised,
    )


def item_view(conversation_id: str, turn: Turn) -> ConversationItem:
    """Return a turn as an item."""
    item_id, answer = f"{conversation_id}_{turn.number}", turn.answer
    if answer is None:
        words = ItemText(type="input_text", text=turn.content)
        return ConversationItem(id=item_id, role=turn.role, created_at=turn.created_at, content=[words])
    annotations = [Annotation(file_id=one.file_id, filename=one.filename, index=one.mark) for one in answer.citations]
    return ConversationItem(
        id=item_id,
        role=turn.role,
        created_at=turn.created_at,
        content=[ItemText(type="output_text", text=turn.content, annotations=annotations)],
        citations=[_citation(one) for one in answer.citations],
        rag=KeptRag(
            refused=answer.refused,
            reason=answer.reason,
            p_supported=answer.p_supported,
            release=answer.release,
            collection=answer.collection_id,
            collection_version=answer.collection_version,
            trace_id=answer.trace_id,
            model=answer.model,
            route=answer.route or None,
            question=answer.question,
        ),
    )


def _citation(kept: KeptCitation) -> CitationView:
    fields = {name: getattr(kept, name) for name in CitationView.model_fields}
    return CitationView.model_validate(fields)


def _number(conversation_id: str, after: str | None) -> int:
    """Return the number of the turn that an item's id names; 0 for None."""
    if after is None:
        return 0
    item = _ITEM.fullmatch(after)
    if item is None or item[1] != conversation_id:
        raise _nothing_called(after)
    return int(item[2])


def _nothing_called(after: str | None) -> InvalidRequest:
    return InvalidRequest(f"after: nothing in this list is called {after or ''!r:.80}", param="after")
