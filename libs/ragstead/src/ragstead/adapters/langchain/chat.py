"""Our answers as a LangChain chat model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, closing
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ChatMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import Field, SecretStr

from ragstead.adapters.langchain.api import Json, RagsteadApi
from ragstead.errors import InvalidRequest
from ragstead.model import Strategy

_PATH = "/chat/completions"
_RAG = ("collection", "filter", "k", "strategy", "conversation_id", "template")
_SAMPLING = ("temperature", "top_p", "seed", "max_tokens")
_ROLES = {"human": "user", "ai": "assistant", "system": "system"}


class ChatRagstead(BaseChatModel):
    """Answers the last message from a collection, each sentence with a citation that was checked, or refuses.

    A message's `response_metadata` has `citations` and `rag`, the receipt, as the HTTP API gives them, beside
    `model_name` and `finish_reason`; its `additional_kwargs` have OpenAI's `annotations`. Streamed, they stand on the
    last chunk. Any field may be given for one call too: `chat.invoke(question, collection="handbook", k=5)`; what the
    platform does not know, `tools` among it, it refuses. What goes wrong is an error of `ragstead.errors`.
    """

    base_url: str = "http://127.0.0.1:8080/v1"
    """Up to the version, as OpenAI's clients take it."""
    api_key: SecretStr | None = None
    model: str = "ragstead"
    """`ragstead`, or `ragstead-agent`, which searches several times."""
    collection: str = "default"
    filter: dict[str, Any] | None = None
    """Which documents may be used, in OpenAI's form: `{"type": "eq", "key": "year", "value": 2024}`."""
    k: int | None = Field(default=None, ge=1, le=100)
    """Passages to answer from; None: the platform's number, as it is with what follows."""
    strategy: Strategy | None = None
    conversation_id: str | None = None
    template: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    max_tokens: int | None = None
    timeout_s: float = Field(default=120, gt=0)

    @property
    def _llm_type(self) -> str:
        return "ragstead"

    @property
    def _identifying_params(self) -> Json:
        return self._given((*_RAG, *_SAMPLING), {}) | {"model": self.model, "base_url": self.base_url}

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        del run_manager
        return _result(self._api().post(_PATH, self._body(messages, stop, kwargs)))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        del run_manager
        return _result(await self._api().apost(_PATH, self._body(messages, stop, kwargs)))

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        with closing(self._api().stream(_PATH, _streamed(self._body(messages, stop, kwargs)))) as events:
            for event in events:
                chunk = _chunk(event)
                if run_manager is not None:
                    run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        async with aclosing(self._api().astream(_PATH, _streamed(self._body(messages, stop, kwargs)))) as events:
            async for event in events:
                chunk = _chunk(event)
                if run_manager is not None:
                    await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk

    def _api(self) -> RagsteadApi:
        key = self.api_key.get_secret_value() if self.api_key else None
        return RagsteadApi(self.base_url, key, self.timeout_s)

    def _given(self, names: tuple[str, ...], once: Json) -> Json:
        """Return the fields that have a value; what the call itself says takes their place."""
        fields = {name: getattr(self, name) for name in names} | {name: once[name] for name in names if name in once}
        return {name: value for name, value in fields.items() if value is not None}

    def _body(self, messages: list[BaseMessage], stop: list[str] | None, once: Json) -> Json:
        body: Json = {
            "model": self.model,
            "messages": [_message(one) for one in messages],
            "rag": self._given(_RAG, once),
            **self._given(_SAMPLING, once),
            **{name: value for name, value in once.items() if name not in (*_RAG, *_SAMPLING)},
        }
        return body | ({"stop": stop} if stop else {})


def _streamed(body: Json) -> Json:
    return body | {"stream": True, "stream_options": {"include_usage": True}}


def _message(message: BaseMessage) -> Json:
    role = message.role if isinstance(message, ChatMessage) else _ROLES.get(message.type)
    if role is None:
        raise InvalidRequest(f"a {message.type} message is not understood here; send human, ai and system messages")
    parts = message.content if isinstance(message.content, list) else []
    if any(isinstance(part, dict) and part.get("type") != "text" for part in parts):
        raise InvalidRequest("only text is understood in messages; leave images and the like out")
    return {"role": role, "content": str(message.text)}


def _result(view: Json) -> ChatResult:
    choice = view["choices"][0]
    message = AIMessage(
        content=choice["message"]["content"],
        id=view["id"],
        additional_kwargs={"annotations": choice["message"]["annotations"]},
        response_metadata=_receipt(view),
        usage_metadata=_usage(view["usage"]),
    )
    return ChatResult(generations=[ChatGeneration(message=message)])


def _chunk(event: Json) -> ChatGenerationChunk:
    choice = event["choices"][0]
    delta, is_last = choice["delta"], choice["finish_reason"] is not None
    message = AIMessageChunk(
        content=delta.get("content") or "",
        id=event.get("id"),
        additional_kwargs={"annotations": delta["annotations"]} if "annotations" in delta else {},
        response_metadata=_receipt(event) if is_last else {},
        usage_metadata=_usage(event["usage"]) if event.get("usage") else None,
        chunk_position="last" if is_last else None,
    )
    return ChatGenerationChunk(message=message)


def _receipt(view: Json) -> Json:
    extras: Json = {name: view[name] for name in ("citations", "rag") if name in view}  # a bare model's answer has none
    return {"model_name": view["model"], "finish_reason": view["choices"][0]["finish_reason"], **extras}


def _usage(usage: Json) -> UsageMetadata:
    return UsageMetadata(
        input_tokens=usage["prompt_tokens"],
        output_tokens=usage["completion_tokens"],
        total_tokens=usage["total_tokens"],
    )
