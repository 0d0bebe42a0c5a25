"""Any server of OpenAI's chat or completions API: vLLM, Ollama, OpenAI, Together, a hub's endpoints."""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

from ragstead.errors import InvalidRequest, Overloaded, RagsteadError, Unavailable
from ragstead.ports.chat_model import ChatRequest
from ragstead.ports.generator import Message, Piece, Sampling
from ragstead.ports.model_relay import Relayed
from ragstead.surrogates import without_surrogates
from ragstead.token_estimates import estimated_tokens

_FINISH: dict[str, Literal["stop", "length"]] = {"length": "length", "max_tokens": "length"}
_MAX_LINE_BYTES = 1_000_000
_LINES_AT_ONCE = 32
_AT_ONCE_BYTES = 1 << 19
_JSON = {"Content-Type": "application/json"}
_AGAIN = {429, 500, 502, 503, 504}
_AGAIN_AFTER_S = 0.25


@dataclass(frozen=True, slots=True)
class ChatEndpoint:
    """Where a model is served, and how it is asked.

    Attributes:
        base_url: Up to the version: `http://127.0.0.1:8000/v1`.
        model: The model's name there.
        api_key: Bearer token; None where none is needed.
        api: `chat` completions, or plain `completions` for base models, whose conversation is written as a transcript.
        context_tokens: Tokens of conversation and answer together.
        connect_s: Limit of the connection.
        first_token_s: Seconds of silence before the first token, the time in the server's queue among them.
        between_tokens_s: Seconds of silence afterwards.
        total_s: Seconds of an answer, however lively.
        retries: How often a request is sent again of which nothing has come back.
        counts_tokens: Whether the server has vLLM's `/tokenize`; else tokens are estimated, rather too many.
    """

    base_url: str
    model: str
    api_key: str | None = None
    api: Literal["chat", "completions"] = "chat"
    context_tokens: int = 4096
    connect_s: float = 2.0
    first_token_s: float = 30.0
    between_tokens_s: float = 10.0
    total_s: float = 300.0
    retries: int = 1
    counts_tokens: bool = False


class _Server:
    """The connections to one server, with patience of its own before the first byte and between two."""

    def __init__(self, endpoint: ChatEndpoint, name: str) -> None:
        self.endpoint = endpoint
        self.name = name
        self._opened: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._opened is not None:
            await self._opened.close()

    @property
    def _session(self) -> aiohttp.ClientSession:
        """Made with the first request, as it belongs to the event loop that it is made in."""
        if self._opened is None:
            key = self.endpoint.api_key
            self._opened = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"Authorization": f"Bearer {key}"} if key else {},
                timeout=aiohttp.ClientTimeout(total=None, connect=self.endpoint.connect_s),
                proxy=_proxy_for(self.endpoint.base_url),  # trust_env would ask a thread for it, each time
            )
        return self._opened

    async def post(self, path: str, body: Mapping[str, object]) -> aiohttp.ClientResponse:
        """Send a request until an answer begins, whatever its status; busy and broken servers are asked again.

        What is not streamed begins when it is done.
        """
        patience_s = self.endpoint.first_token_s if body.get("stream") else self.endpoint.total_s
        url = f"{self.endpoint.base_url.rstrip('/')}/{path}"
        sent = json.dumps(body).encode()
        for left in range(self.endpoint.retries, -1, -1):
            try:
                async with asyncio.timeout(patience_s):
                    data = sent if len(sent) <= _AT_ONCE_BYTES else io.BytesIO(sent)  # in pieces, others get a turn
                    response = await self._session.post(url, data=data, headers=_JSON, allow_redirects=False)
            except aiohttp.ConnectionTimeoutError as error:
                if not left:
                    raise self.down(f"can't be reached: no connection in {self.endpoint.connect_s:g} s") from error
            except TimeoutError as error:
                raise self.down(f"was silent for {patience_s:.3g} s") from error
            except aiohttp.ClientError as error:
                if not left:
                    raise self.down(f"can't be reached: {error!r}") from error
            else:
                if not left or response.status not in _AGAIN:
                    return response
                response.close()
            await asyncio.sleep(_AGAIN_AFTER_S)
        raise AssertionError("unreachable")

    async def get_json(self, url: str, body: Mapping[str, object]) -> Any:
        """Return the JSON of a short answer."""
        async with asyncio.timeout(self.endpoint.first_token_s):
            async with self._session.post(url, json=body, allow_redirects=False) as response:
                response.raise_for_status()
                return json.loads(await response.read())

    async def chunks(self, response: aiohttp.ClientResponse) -> AsyncGenerator[bytes, None]:
        """Yield the body as it comes; closed, it hangs up.

        Time counts while bytes are waited for, not while whoever reads them is busy.
        """
        deadline = time.monotonic() + self.endpoint.total_s
        patience_s = self.endpoint.first_token_s
        try:
            while True:
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    raise self.down(f"was not done after {self.endpoint.total_s:g} s")
                try:
                    async with asyncio.timeout(min(patience_s, left_s)):
                        some = await response.content.readany()
                except TimeoutError as error:
                    raise self.down(f"was silent for {min(patience_s, left_s):.3g} s") from error
                except aiohttp.ClientError as error:
                    raise self.down(f"broke off: {error!r}") from error
                if not some:
                    return
                patience_s = self.endpoint.between_tokens_s
                yield some
        finally:
            response.close()  # one that has been read to its end has given its connection back already

    async def lines(self, response: aiohttp.ClientResponse) -> AsyncGenerator[str, None]:
        """Yield the data of each event; comments and other fields are passed over."""
        waiting = b""
        async with aclosing(self.chunks(response)) as chunks:
            async for chunk in chunks:
                *complete, waiting = (waiting + chunk).split(b"\n")
                if max(map(len, (waiting, *complete))) > _MAX_LINE_BYTES:
                    raise self.down("sent a line without end")
                for n, line in enumerate(complete, start=1):
                    if n % _LINES_AT_ONCE == 0:  # what has come already is read without waiting, and others wait
                        await asyncio.sleep(0)
                    if line.startswith(b"data:"):
                        yield line.removeprefix(b"data:").decode("utf-8", "replace").strip()

    async def refused(self, response: aiohttp.ClientResponse) -> RagsteadError:
        """Read and close an answer that is none; return what it means."""
        said = f"answered {response.status}: {await self._words_of(response)}"
        if response.status == 429:
            after = response.headers.get("Retry-After", "")
            return Overloaded(f"{self.name}: {said}", retry_after_s=float(after) if after.isdigit() else 1.0)
        if response.status in {401, 403}:
            return self.down(f"{said}; look at its api_key")
        if response.status == 404:
            return self.down(f"{said}; has it the model {self.endpoint.model!r}?")
        if response.status in {400, 413, 422}:
            return InvalidRequest(f"{self.name}: {said}", param="messages")
        return self.down(said)

    async def _words_of(self, response: aiohttp.ClientResponse) -> str:
        try:
            async with asyncio.timeout(self.endpoint.between_tokens_s):
                return _message_in((await response.read()).decode("utf-8", "replace"))
        except (aiohttp.ClientError, TimeoutError):
            return "and broke off"  # the words are a help, and not more
        finally:
            response.close()

    def down(self, how: str) -> Unavailable:
        return Unavailable("generation", f"{self.name} at {self.endpoint.base_url} {how}")


class OpenAiChatModel:
    """Is a `ChatModel` over HTTP.

    Args:
        endpoint: Where it is.
        name: As receipts show it; None for the model's name there.
    """

    def __init__(self, endpoint: ChatEndpoint, *, name: str | None = None) -> None:
        self._endpoint = endpoint
        self._server = _Server(endpoint, name or endpoint.model)

    @property
    def name(self) -> str:
        """The model's name as receipts show it."""
        return self._server.name

    @property
    def context_tokens(self) -> int:
        """Tokens of conversation and answer together that the model reads."""
        return self._endpoint.context_tokens

    async def close(self) -> None:
        """Close the connections."""
        await self._server.close()

    async def chat(self, request: ChatRequest) -> AsyncIterator[Piece]:
        """Yield the answer as it comes; closed, it hangs up, at which servers stop."""
        last = Piece("", finish_reason="stop")
        finished = False
        async with aclosing(self._events(self._body(request))) as events:
            async for view in events:
                text, finish, usage = self._read(view)
                finished = finished or finish is not None
                last = Piece(
                    "",
                    finish_reason=finish or last.finish_reason,
                    prompt_tokens=usage[0] or last.prompt_tokens,
                    completion_tokens=usage[1] or last.completion_tokens,
                )
                if text:
                    yield Piece(text)
        if not finished:
            raise self._server.down("broke off in the middle of an answer")
        yield last

    async def count(self, texts: Sequence[str]) -> list[int]:
        """Return the tokens of each text as the server counts them, or one for three bytes."""
        if not self._endpoint.counts_tokens:
            return [estimated_tokens(text) for text in texts]
        return list(await asyncio.gather(*(self._counted(text) for text in texts)))

    async def _counted(self, text: str) -> int:
        parts = urlsplit(self._endpoint.base_url)
        url = urlunsplit(parts._replace(path=f"{parts.path.rstrip('/').removesuffix('/v1')}/tokenize"))
        body = {"model": self._endpoint.model, "prompt": without_surrogates(text), "add_special_tokens": False}
        try:
            return int((await self._server.get_json(url, body))["count"])
        except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError) as error:
            raise self._server.down(f"does not count tokens at {url}: {error!r}") from error

    def _body(self, request: ChatRequest) -> dict[str, Any]:
        body = {
            "model": self._endpoint.model,
            "stream": True,
            "stream_options": {"include_usage": True},
            **_sampling(request.sampling),
        }
        if self._endpoint.api == "chat":
            messages = [{"role": one.role, "content": without_surrogates(one.content)} for one in request.messages]
            return {**body, "messages": messages}
        stop = [*request.sampling.stop, "\nUser:"][-4:]
        return {**body, "prompt": without_surrogates(transcript(request.messages)), "stop": stop}

    async def _events(self, body: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        """Yield what the server sends, one JSON object after the other."""
        response = await self._server.post("chat/completions" if self._endpoint.api == "chat" else "completions", body)
        if response.status != 200:
            raise await self._server.refused(response)
        async with aclosing(self._server.lines(response)) as lines:
            async for line in lines:
                if line == "[DONE]":
                    return
                yield self._object(line)

    def _object(self, line: str) -> dict[str, Any]:
        try:
            view = json.loads(line)
        except ValueError as error:
            raise self._server.down(f"sent {line[:80]!r}, which is no JSON") from error
        if not isinstance(view, dict):
            raise self._server.down(f"sent {line[:80]!r}, which is no object")
        if view.get("error"):
            raise self._server.down(f"ended with an error: {_message_of(view)}")
        return view

    def _read(self, view: dict[str, Any]) -> tuple[str, Literal["stop", "length"] | None, tuple[int, int]]:
        """Return an event's words, why the answer ends with it, if it does, and the usage."""
        try:
            choice = view["choices"][0] if view.get("choices") else {}
            text = (choice.get("delta") or {}).get("content") if self._endpoint.api == "chat" else choice.get("text")
            reason = choice.get("finish_reason")
            usage = view.get("usage") or {}
            counted = int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise self._server.down(f"sent an event that is none of a completion: {error!r}") from error
        if not isinstance(text, str | None):
            raise self._server.down(f"sent {text!r:.80} for words")
        return text or "", _FINISH.get(str(reason), "stop") if reason else None, counted


class OpenAiRelay:
    """Is a `ModelRelay` over HTTP, for servers of the chat API.

    Args:
        endpoint: Where the model is.
        name: What requests call it.
        capabilities: What it can do.
    """

    def __init__(self, endpoint: ChatEndpoint, *, name: str, capabilities: Mapping[str, bool]) -> None:
        self._server = _Server(endpoint, name)
        self._capabilities = dict(capabilities)

    @property
    def name(self) -> str:
        """What requests call the model."""
        return self._server.name

    @property
    def capabilities(self) -> Mapping[str, bool]:
        """What the model can do."""
        return self._capabilities

    async def close(self) -> None:
        """Close the connections."""
        await self._server.close()

    async def send(self, body: Mapping[str, object]) -> Relayed:
        """Pass a request on; of a 4xx that speaks of the request the words are the server's own."""
        server = self._server
        response = await server.post("chat/completions", {**body, "model": server.endpoint.model})
        if response.status >= 500 or response.status in {401, 403, 404}:
            raise await server.refused(response)
        media_type = response.headers.get("Content-Type", "application/json")
        return Relayed(
            response.status,
            media_type,
            response.headers.get("Retry-After", ""),
            server.chunks(response),
        )


def _proxy_for(url: str) -> str | None:
    """Return the proxy that the environment names for a server, as other clients know it."""
    server = urlsplit(url)
    return None if proxy_bypass(server.hostname or "") else getproxies().get(server.scheme)


def transcript(messages: Sequence[Message]) -> str:
    """Write a conversation for a model that knows no roles: instructions, then `User:` and `Assistant:` in turn."""
    named = {"user": "User: ", "assistant": "Assistant: "}
    return "\n\n".join([*(named.get(one.role, "") + one.content for one in messages), "Assistant:"])


def _sampling(sampling: Sampling) -> dict[str, Any]:
    values = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": sampling.seed,
        "frequency_penalty": sampling.frequency_penalty,
        "presence_penalty": sampling.presence_penalty,
        "max_tokens": sampling.max_tokens,
        "stop": list(sampling.stop) or None,
    }
    return {name: value for name, value in values.items() if value is not None}


def _message_in(text: str) -> str:
    try:
        return _message_of(json.loads(text))
    except ValueError:
        return text[:200]


def _message_of(view: Any) -> str:
    """The message of OpenAI's error shape, or of vLLM's older one; the first words of any other."""
    error = view.get("error", view) if isinstance(view, dict) else view
    message = error.get("message") if isinstance(error, dict) else error
    return str(message)[:300]
