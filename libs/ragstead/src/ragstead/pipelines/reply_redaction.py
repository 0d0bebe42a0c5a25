"""Personal data taken out of what a model says that a request names, whole or as it comes."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from ragstead.guardrails.pii import ALL_KINDS, PiiKind, PiiSpan, PiiWindow, find_pii, finder_of_leaks, redact
from ragstead.pipelines.replies import (
    WORDS,
    choices_in,
    event_of,
    has_calls,
    is_end,
    message_texts,
    object_in,
    single_events,
    text_in,
    view_of,
)

_MARKS = re.compile(rb"[0-9@]")
_MARKS_OF_NAMES = re.compile(rb"[0-9@.]")
_CLOSED = re.compile(rb"(?:[ \t]|\\[nrt]|[\xe0-\xf4][\x80-\xbf]{2,3})\Z")
_GAP = re.compile(rb"[ \t]|\\[nrt]|[\xe0-\xf4]")
_PLAIN = re.compile(rb"[A-Za-z\x80-\xff ,;:!?*#>'()-]*")
_EVENT_END = re.compile(rb"\r?\n\r?\n")
_LONGEST_WORD_BYTES = 320
_LOOKED_BACK_BYTES = 200


@dataclass(frozen=True, slots=True)
class ReplyPolicy:
    """Which personal data is taken out.

    Attributes:
        which: `leaked`: what stands in no message of the request; `all`: every piece.
        kinds: What counts.
    """

    which: Literal["leaked", "all"] = "leaked"
    kinds: Collection[PiiKind] = ALL_KINDS

    def finder(self, body: Mapping[str, object]) -> Callable[[str], Sequence[PiiSpan]]:
        """Return what finds it in the reply to a request."""
        if self.which == "all":
            return lambda text: find_pii(text, self.kinds)
        return finder_of_leaks(message_texts(body.get("messages")), self.kinds)

    @property
    def marks(self) -> re.Pattern[bytes]:
        """What stands in all personal data that counts."""
        return _MARKS_OF_NAMES if PiiKind.DOMAIN in self.kinds else _MARKS


def is_for_programs(body: Mapping[str, object]) -> bool:
    """Return whether the reply is to have a form, which a mark in the place of a number would break."""
    form = body.get("response_format")
    return isinstance(form, Mapping) and form.get("type") != "text"


class RedactedReply:
    """Takes personal data out of one reply; calls of tools are left as they are.

    A stream is passed on as it came, event by event, but for those that hold such data, and for events whose words may
    yet become some, which wait for the next. Words without a digit or an `@` are looked at in their bytes alone.

    Args:
        policy: Which.
        body: The request.
    """

    def __init__(self, policy: ReplyPolicy, body: Mapping[str, object]) -> None:
        self._find = policy.finder(body)
        self._marks = policy.marks
        self._closely = body.get("n") not in (None, 1)
        self._always_closely = self._closely
        self._close = _CloseLook(self._find)
        self._held = self._word = self._before = b""
        self._begun = False

    def whole(self, body: bytes) -> bytes:
        """Return a whole reply."""
        if not self._marks.search(text_in(body)):
            return body
        view = object_in(body)
        if view is None or not _redacted(view, self._find):
            return body
        return orjson.dumps(view)

    def events(self, events: bytes) -> bytes:
        """Return what may go of the events that came, and of those before."""
        if self._closely:
            return self._look_closely(events)
        text = text_in(events)
        if self._marks.search(text):
            events, self._held, self._word, self._closely = self._held + events, b"", b"", True
            self._close.begin(_decoded(self._before))
            return self._look_closely(events)
        if not text or _CLOSED.search(text):
            return self._pass(events, text, ends=bool(text))
        return self._hold(events, text)

    def flush(self) -> bytes:
        """Return what was held back: nothing follows."""
        out, self._held, self._word = self._held, b"", b""
        return out + self._close.flush()

    def _pass(self, events: bytes, text: bytes, *, ends: bool) -> bytes:
        """Let events go, and those before; without words only where they end something, or nothing waits."""
        if not ends and self._held and not is_end(events) and not has_calls(events):
            self._held += events
            return b""
        out, self._held = self._held + events, b""
        self._remember(self._word + text)
        self._word = b""
        return out

    def _hold(self, events: bytes, text: bytes) -> bytes:
        """Hold the events back whose last word may go on, and let those go whose words have ended with it."""
        first, self._begun = not self._begun, True
        begin = _last_gap(events, text)
        said_before = self._held if begin is None else self._held + events[:begin]
        at_once = first and _PLAIN.fullmatch(text) and not text_in(said_before)
        if at_once or is_end(events) or len(self._word) > _LONGEST_WORD_BYTES:
            return self._pass(events, text, ends=True)
        if begin is None:
            self._held, self._word = self._held + events, self._word + text
            return b""
        self._held = events[begin:]
        word = text_in(self._held) if begin else text
        self._remember(self._word + text[: len(text) - len(word)])
        self._word = word
        return said_before

    def _remember(self, text: bytes) -> None:
        self._begun = self._begun or bool(text)
        self._before = (self._before + text)[-_LOOKED_BACK_BYTES:]

    def _look_closely(self, events: bytes) -> bytes:
        out = b"".join(map(self._close.event, single_events(events)))
        if not self._always_closely and not self._marks.search(self._close.held.encode()):
            self._before = orjson.dumps(self._close.before)[1:-1]
            self._word = orjson.dumps(self._close.held)[1:-1]
            self._held, self._closely, self._begun = self._close.end(), False, True
        return out


@dataclass(slots=True)
class _Slot:
    """Words of one event, and what became of them."""

    choice: dict[str, Any]
    said: dict[str, Any]
    name: str
    decided: bool = False


@dataclass(slots=True)
class _Waiting:
    """An event on its way through."""

    raw: bytes
    view: dict[str, Any] | None
    slots: list[_Slot] = field(default_factory=list)
    changed: bool = False

    def sent(self) -> bytes:
        return event_of(self.view) if self.changed and self.view is not None else self.raw


class _CloseLook:
    """Events in their order, each let go when all its words are decided."""

    def __init__(self, find: Callable[[str], Sequence[PiiSpan]]) -> None:
        self._find = find
        self._queue: deque[_Waiting] = deque()
        self._windows: dict[tuple[int, str], tuple[PiiWindow, deque[tuple[_Waiting, _Slot]]]] = {}
        self._before = ""

    def begin(self, before: str) -> None:
        """Begin behind some words."""
        self._before = before
        self._windows.clear()

    @property
    def held(self) -> str:
        """The words that wait."""
        return "".join(window.held for window, _ in self._windows.values())

    @property
    def before(self) -> str:
        """The words that went last."""
        return next((window.before for window, _ in reversed(self._windows.values())), self._before)

    def end(self) -> bytes:
        """Return the events that wait, without what was taken out of them, and forget them."""
        out = b"".join(one.sent() for one in self._queue)
        self._queue.clear()
        self._windows.clear()
        return out

    def event(self, raw: bytes) -> bytes:
        """Take an event, and return those that may go."""
        one = _Waiting(raw, view_of(raw))
        self._queue.append(one)
        for number, choice, said in choices_in(one.view or {}):
            for name in WORDS:
                if isinstance(said.get(name), str) and said[name]:
                    self._take(one, _Slot(choice, said, name), number)
            if choice.get("finish_reason") or said.get("tool_calls"):
                self._finish(number)
        if one.view is None and is_end(raw):
            self._finish(None)
        return self._let_go()

    def flush(self) -> bytes:
        """Return all that waits."""
        self._finish(None)
        return self._let_go()

    def _take(self, one: _Waiting, slot: _Slot, number: int) -> None:
        for (choice, name), (window, slots) in self._windows.items():
            if choice == number and name != slot.name:  # who answers has done with reasoning
                _decide(slots, window.flush())
        one.slots.append(slot)
        if (number, slot.name) not in self._windows:
            self._windows[number, slot.name] = PiiWindow(self._find, self._before), deque()
        window, slots = self._windows[number, slot.name]
        slots.append((one, slot))
        _decide(slots, window.feed(slot.said[slot.name]))

    def _finish(self, number: int | None) -> None:
        for (choice, _), (window, slots) in self._windows.items():
            if number in (None, choice):
                _decide(slots, window.flush())

    def _let_go(self) -> bytes:
        out = []
        while self._queue and all(slot.decided for slot in self._queue[0].slots):
            out.append(self._queue.popleft().sent())
        return b"".join(out)


def _last_gap(events: bytes, text: bytes) -> int | None:
    """Return where the last event begins in which a word ends, or begins; None where there is none."""
    if not _GAP.search(text):
        return None
    if events.find(b"\n\n") == len(events) - 2:
        return 0
    ends = [match.end() for match in _EVENT_END.finditer(events)]
    begins = [0, *ends]
    for begin, end in reversed(list(zip(begins, [*ends, len(events)], strict=True))):
        if _GAP.search(text_in(events[begin:end])):
            return begin
    return None


def _decide(slots: deque[tuple[_Waiting, _Slot]], texts: Sequence[str]) -> None:
    for text in texts:
        one, slot = slots.popleft()
        slot.decided = True
        if text != slot.said[slot.name]:
            slot.said[slot.name] = text
            one.changed = True
            _without_tokens(slot.choice)


def _redacted(view: dict[str, Any], find: Callable[[str], Sequence[PiiSpan]]) -> bool:
    """Take the data out of a whole reply, and return whether there was any."""
    changed = False
    for _, choice, said in choices_in(view):
        for name in WORDS:
            text = said.get(name)
            if isinstance(text, str) and (spans := find(text)):
                said[name] = redact(text, spans)
                _without_tokens(choice)
                changed = True
    return changed


def _without_tokens(choice: dict[str, Any]) -> None:
    """Take the tokens out, which would tell what was taken out."""
    for name in ("logprobs", "token_ids"):
        if choice.get(name):
            choice[name] = None


def _decoded(escaped: bytes) -> str:
    """Return words as JSON has them between quotes; what was cut off in front is left out up to the first gap."""
    try:
        return str(orjson.loads(b'"' + escaped + b'"'))
    except orjson.JSONDecodeError:
        _, gap, rest = escaped.partition(b" ")
        return _decoded(rest) if gap else ""
