"""What stands in the bytes of a model server's reply, whole or as events, read no further than is needed."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import orjson

from ragstead.streams import closing

WORDS = ("content", "reasoning_content", "reasoning")
"""Where a reply's words stand in its message, or in the deltas of its events."""
_LONGEST_EVENT_BYTES = 1 << 20
_DATA = re.compile(rb"^data: ?(.*)$", re.MULTILINE)
_TEXT = re.compile(rb'"(?:content|reasoning_content|reasoning)"\s*:\s*"((?:[^"\\]|\\.)*)"', re.DOTALL)
_BEGUN = re.compile(rb'"(?:content|reasoning_content|reasoning|arguments|name)"\s*:\s*"[^"]')
_FINISH = re.compile(rb'"finish_reason"\s*:\s*"(\w+)"')
_DONE = re.compile(rb"^data: ?\[DONE\]", re.MULTILINE)
_CALLS = re.compile(rb'"tool_calls"\s*:\s*\[\s*\{')
_USAGE_ALONE = re.compile(rb'^data: ?\{[^\n]*"choices"\s*:\s*\[\s*\][^\n]*\r?\n\r?\n', re.MULTILINE)
_USAGE = re.compile(rb'"usage"\s*:\s*\{')
_ID = re.compile(rb'"id"\s*:\s*"[^"\\]*"')
_HEADLESS = re.compile(rb"^(data: ?)\{", re.MULTILINE)


def split_events(received: bytes) -> tuple[bytes, bytes]:
    """Return the events that are whole, and the rest; of what has no end in a megabyte all."""
    ends = [place + len(mark) for mark in (b"\n\n", b"\r\n\r\n") if (place := received.rfind(mark)) >= 0]
    end = max(ends, default=len(received) if len(received) > _LONGEST_EVENT_BYTES else 0)
    return received[:end], received[end:]


async def whole_events(body: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """Yield whole events, as many as have come together, and last what is left of one; closing this closes `body`."""
    waiting = b""
    async with aclosing(closing(body)) as chunks:
        async for chunk in chunks:
            whole, waiting = split_events(waiting + chunk if waiting else chunk)
            if whole:
                yield whole
    if waiting:
        yield waiting


def single_events(events: bytes) -> Iterator[bytes]:
    """Yield events one by one, each with its end."""
    begin = 0
    for match in re.finditer(rb"\r?\n\r?\n", events):
        yield events[begin : match.end()]
        begin = match.end()
    if begin < len(events):
        yield events[begin:]


def text_in(data: bytes) -> bytes:
    """Return the words in a reply, or in events of one, as JSON has them between quotes, all together."""
    return b"".join(_TEXT.findall(data))


def is_begun(events: bytes) -> bool:
    """Return whether there are first words, or the first of a call of a tool, in the events."""
    return _BEGUN.search(events) is not None


def is_end(events: bytes) -> bool:
    """Return whether a choice ends in the events, or the stream."""
    return _FINISH.search(events) is not None or _DONE.search(events) is not None


def has_calls(events: bytes) -> bool:
    """Return whether a tool is called in the events, which words come before."""
    return _CALLS.search(events) is not None


def view_of(event: bytes) -> dict[str, Any] | None:
    """Return the JSON object of an event; None where it has none."""
    found = _DATA.search(event)
    return None if found is None else object_in(found[1])


def object_in(data: bytes) -> dict[str, Any] | None:
    """Return a JSON object; None where it is none."""
    try:
        view = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return view if isinstance(view, dict) else None


def event_of(view: Mapping[str, Any]) -> bytes:
    """Return an event."""
    return b"data: " + orjson.dumps(view) + b"\n\n"


def choices_in(view: Mapping[str, Any]) -> Iterator[tuple[int, dict[str, Any], dict[str, Any]]]:
    """Yield each choice of a reply or an event with its number and its message or delta."""
    choices = view.get("choices")
    for place, choice in enumerate(choices if isinstance(choices, list) else []):
        said = choice.get("delta", choice.get("message")) if isinstance(choice, dict) else None
        if isinstance(said, dict):
            number = choice.get("index")
            yield number if isinstance(number, int) else place, choice, said


def views_in(data: bytes, *, streamed: bool) -> list[dict[str, Any]]:
    """Return the objects of a reply: of each event, or the one of a whole."""
    found = (view_of(one) for one in single_events(data)) if streamed else iter([object_in(data)])
    return [one for one in found if one is not None]


def tokens_in(data: bytes, *, streamed: bool) -> tuple[int, int] | None:
    """Return how many tokens were read and written; None where the server does not say."""
    places = [match.start() for match in _USAGE.finditer(data)]
    if not places:
        return None
    begin = data.rfind(b"\n", 0, places[-1]) + 1 if streamed else 0
    for view in views_in(data[begin:], streamed=streamed)[:1]:
        usage = view.get("usage")
        counts = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")] if isinstance(usage, dict) else []
        read, written = (one if isinstance(one, int) else 0 for one in counts or (0, 0))
        return (read, written) if read or written else None
    return None


def finish_in(data: bytes) -> str:
    """Return why the reply ended, or nothing where it does not say."""
    reasons = _FINISH.findall(data)
    return reasons[-1].decode() if reasons else ""


def words_of(data: bytes, *, streamed: bool) -> dict[str, str]:
    """Return what was said, under the names of the fields; calls of tools as `tool_calls`, their arguments together."""
    out: dict[str, str] = {}
    for view in views_in(data, streamed=streamed):
        for _, _, said in choices_in(view):
            for name in WORDS:
                if isinstance(said.get(name), str):
                    out[name] = out.get(name, "") + said[name]
            for call in said.get("tool_calls") or ():
                made = call.get("function") if isinstance(call, dict) else None
                if isinstance(made, dict):
                    words = f"{made.get('name') or ''}{made.get('arguments') or ''}"
                    out["tool_calls"] = out.get("tool_calls", "") + words
    return {name: text for name, text in out.items() if text}


def message_texts(messages: object) -> list[str]:
    """Return the words of each message of a request; parts of one on lines of their own."""
    given = messages if isinstance(messages, Sequence) else ()
    return [text_of_message(one) for one in given if isinstance(one, Mapping)]


def text_of_message(message: Mapping[str, Any]) -> str:
    """Return the words of a message."""
    content = message.get("content")
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def asking_for_usage(body: Mapping[str, object]) -> Mapping[str, object]:
    """Return the request of a stream such that its server counts tokens."""
    options = body.get("stream_options")
    told = dict(options) if isinstance(options, Mapping) else {}
    return {**body, "stream_options": {**told, "include_usage": True}}


def wants_usage(body: Mapping[str, object]) -> bool:
    """Return whether a caller is to see the usage: always, but for streams that do not ask."""
    options = body.get("stream_options")
    return not body.get("stream") or (isinstance(options, Mapping) and bool(options.get("include_usage")))


def without_usage(events: bytes) -> bytes:
    """Return the events without the one that has nothing but the usage."""
    if not _USAGE.search(events):
        return events
    return _USAGE_ALONE.sub(lambda found: b"" if _USAGE.search(found[0]) else found[0], events)


class Renamed:
    """Puts another id in the place of a reply's own.

    Args:
        response_id: The other.
    """

    def __init__(self, response_id: str) -> None:
        self._id = response_id
        self._own: bytes | None = None
        self._put = b'"id":' + orjson.dumps(response_id)

    def events(self, events: bytes) -> bytes:
        """Return events under the other id; those that bear none get it."""
        if self._own is None and (view := next(iter(views_in(events, streamed=True)), None)) is not None:
            same = (
                found[0]
                for found in _ID.finditer(events)
                if object_in(b"{" + found[0] + b"}") == {"id": view.get("id")}
            )
            self._own = next(same, b"")
        if self._own is None:
            return events
        if self._own:
            return events.replace(self._own, self._put)
        return _HEADLESS.sub(lambda found: found[1] + b"{" + self._put + b",", events)

    def whole(self, body: bytes) -> bytes:
        """Return a whole reply under the other id."""
        view = object_in(body)
        return body if view is None else orjson.dumps({**view, "id": self._id})
