"""What users of a bare model wrote, judged before it is passed on."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ragstead.errors import InvalidRequest
from ragstead.pipelines.replies import text_of_message
from ragstead.pipelines.reply_redaction import ReplyPolicy
from ragstead.ports.guard import Guard, QuestionVerdict

_REMEMBERED = 4096
"""Judgements; a conversation comes again with each of its turns."""


@dataclass(frozen=True, slots=True)
class DoorGuard:
    """What the release that is live guards the doors with that do not lead through its pipeline.

    Attributes:
        release_id: Of that release.
        guard: Judges what users write, and passages.
        replies: Which personal data is taken out of what models say; None: none.
        known: What it judged before, for the texts that come again.
    """

    release_id: str
    guard: Guard
    replies: ReplyPolicy | None
    known: KnownVerdicts


class KnownVerdicts:
    """The last verdicts on texts that may go on as they are, by a hash of the text."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, QuestionVerdict] = OrderedDict()

    async def question(self, text: str, guard: Guard) -> QuestionVerdict:
        """Return the guard's verdict."""
        key = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        known = self._kept.get(key)
        if known is not None:
            self._kept.move_to_end(key)
            return replace(known, text=text)
        verdict = await guard.question(text)
        if verdict.text == text:
            self._kept[key] = replace(verdict, text="")
            if len(self._kept) > _REMEMBERED:
                self._kept.popitem(last=False)
        return verdict


@dataclass(frozen=True, slots=True)
class JudgedMessages:
    """What became of the messages of a request.

    Attributes:
        messages: Those to pass on.
        findings: In what users wrote, earlier turns among it.
        refused: The verdict on the newest of it, where that is refused.
    """

    messages: Sequence[Mapping[str, Any]]
    findings: tuple[str, ...] = ()
    refused: QuestionVerdict | None = None


async def judged_messages(
    messages: Sequence[Mapping[str, Any]], door: DoorGuard, max_user_chars: int
) -> JudgedMessages:
    """Judge what users wrote.

    Refused is what the newest of a user's messages is refused for; an earlier one that would be is left out, together
    with what was answered to it. System messages are the application's own, and what tools say is not a user's.

    Raises:
        InvalidRequest: If users wrote more than may be judged.
    """
    users = {n: text_of_message(one) for n, one in enumerate(messages) if one.get("role") == "user"}
    _check_length(users, max_user_chars)
    newest = max(users, default=-1)
    kept: list[Mapping[str, Any]] = []
    findings: dict[str, None] = {}
    left_out = False
    for n, message in enumerate(messages):
        if n not in users:
            if not left_out or message.get("role") in ("system", "developer"):
                kept.append(message)
            continue
        text = users[n]
        verdict = await door.known.question(text, door.guard)
        findings |= dict.fromkeys(verdict.findings)
        left_out = verdict.refused
        if verdict.refused and n == newest:
            return JudgedMessages(messages, tuple(findings), verdict)
        if not verdict.refused:
            kept.append(message if verdict.text == text else {**message, "content": verdict.text})
    return JudgedMessages(kept, tuple(findings))


def _check_length(users: Mapping[int, str], most: int) -> None:
    chars = sum(map(len, users.values()))
    if chars > most:
        where = f"messages[{max(users)}].content"
        what = f"messages: users wrote {chars} characters, and at most {most} are passed on; shorten them"
        raise InvalidRequest(what, param=where, code="question_too_long")
