"""From the body of a chat completion to a question: what is understood is translated, the rest is refused by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fastapi import Request

from ragstead.errors import InvalidRequest
from ragstead.filters import Filter, parse_filter
from ragstead.pipelines.asking import AskRequest
from ragstead.ports.conversations import ANONYMOUS
from ragstead.ports.generator import Message, Sampling
from ragstead.tracing import read_traceparent
from ragstead.wire import ChatBody, ChatMessage

AGENT = "ragstead-agent"
"""The `model` that searches several times."""
_ROLES = {"developer": "system"}


def ask_request(
    body: ChatBody, *, max_question_chars: int, owner: str = ANONYMOUS, traceparent: str = ""
) -> AskRequest:
    """Return what the pipeline is asked.

    Args:
        body: The request.
        max_question_chars: A longer question is refused.
        owner: Who asks, as far as conversations go.
        traceparent: As the request's header has it.

    Raises:
        InvalidRequest: If the body asks for what no served model can do, if its last message is not the user's, or
            if the question is empty or too long.
    """
    _refuse_unserved(body)
    messages = [_message(message, f"messages[{i}]") for i, message in enumerate(body.messages)]
    last = f"messages[{len(messages) - 1}]"
    if messages[-1].role != "user":
        raise InvalidRequest(
            f"{last}.role is {body.messages[-1].role!r}; the last message must be the user's", param=last
        )
    if body.rag.conversation_id is not None:
        _check_new_turn(messages)
    question = messages[-1].content
    check_question(question, max_question_chars, f"{last}.content")
    return AskRequest(
        question=question,
        collection=body.rag.collection,
        messages=tuple(messages),
        filter=read_filter(body.rag.filter, "rag.filter"),
        k=body.rag.k,
        strategy=body.rag.strategy,
        sampling=_sampling(body),
        affinity=_affinity(body.user, messages),
        template=body.rag.template,
        conversation_id=body.rag.conversation_id,
        owner=owner,
        agent=body.model == AGENT,
        release=body.rag.release,
        trace=read_traceparent(traceparent, body.user or "", body.metadata),
    )


def traceparent_of(request: Request) -> str:
    """Return the header `traceparent`; nothing where it came more than once, as nobody can say which is meant."""
    given = request.headers.getlist("traceparent")
    return given[0] if len(given) == 1 else ""


def check_question(question: str, max_chars: int, param: str) -> None:
    """Refuse a question or query that is blank or too long.

    Raises:
        InvalidRequest: Then, naming `param`.
    """
    if not question.strip():
        raise InvalidRequest(f"{param} is empty; ask something", param=param, code="empty_question")
    if len(question) > max_chars:
        what = f"{param} has {len(question)} characters, and at most {max_chars} are read; shorten it"
        raise InvalidRequest(what, param=param, code="question_too_long")


def read_filter(value: object, field: str) -> Filter | None:
    """Return the filter that stands in `field`; an error in it is named by where it stands there.

    Raises:
        InvalidRequest: If it is off in any way.
    """
    try:
        return parse_filter(value)
    except InvalidRequest as exc:
        where = (exc.param or "filter").replace("filter", field, 1)
        raise InvalidRequest(str(exc).replace("filter", field, 1), param=where, code=exc.code) from exc


def refuse_unable(body: ChatBody, able: Mapping[str, bool], *, hint: str = "") -> None:
    """Refuse what the model can't do.

    Args:
        body: The request.
        able: What the model can do of `n`, `tools`, `logprobs` and `response_format`; what is left out it can't.
        hint: Behind the words of the refusal.

    Raises:
        InvalidRequest: Naming the parameter.
    """
    asked: Sequence[tuple[str, str, bool]] = (
        ("n", "n", body.n not in (None, 1)),
        ("tools", "tools", bool(body.tools)),
        ("tool_choice", "tools", body.tool_choice not in (None, "none")),
        ("logprobs", "logprobs", bool(body.logprobs)),
        ("top_logprobs", "logprobs", body.top_logprobs is not None),
        ("response_format", "response_format", body.response_format not in (None, {"type": "text"})),
    )
    for param, ability, wanted in asked:
        if wanted and not able.get(ability):
            what = f"{param}: model {body.model!r} can't do that{hint}"
            raise InvalidRequest(what, param=param, code="unsupported_parameter")


def _refuse_unserved(body: ChatBody) -> None:
    refuse_unable(body, {})
    if body.stream_options is not None and not body.stream:
        raise InvalidRequest("stream_options go with stream: true", param="stream_options", code="invalid_value")


def _check_new_turn(messages: Sequence[Message]) -> None:
    """Refuse earlier turns where the server keeps them; the caller's instructions may come with each question."""
    turns = sum(one.role != "system" for one in messages)
    if turns > 1:
        raise InvalidRequest(
            f"messages has {turns} turns, and the conversation is kept by the server: send the new question alone, "
            "with a system message before it if need be",
            param="messages",
            code="invalid_value",
        )


def _message(message: ChatMessage, where: str) -> Message:
    if message.role == "tool" or message.tool_calls or message.tool_call_id is not None:
        raise InvalidRequest(f"{where}: no model here calls tools", param=where, code="unsupported_parameter")
    content = message.content
    if content is None and message.role != "assistant":
        raise InvalidRequest(f"{where}.content is missing", param=f"{where}.content", code="missing_required_parameter")
    if isinstance(content, list):
        content = "\n".join(part.text for part in content)
    return Message(_ROLES.get(message.role, message.role), content or "")


def _affinity(user: str | None, messages: Sequence[Message]) -> str:
    """Return what stays the same over a conversation that its client keeps: who asks, and what was asked first."""
    first = next(message.content for message in messages if message.role == "user")
    return f"{user or ''}\n{first}"


def _sampling(body: ChatBody) -> Sampling:
    stop = (body.stop,) if isinstance(body.stop, str) else tuple(body.stop or ())
    return Sampling(
        temperature=body.temperature,
        top_p=body.top_p,
        seed=body.seed,
        frequency_penalty=body.frequency_penalty,
        presence_penalty=body.presence_penalty,
        max_tokens=body.max_completion_tokens or body.max_tokens,
        stop=stop,
    )
