"""Answers read back from Langfuse, over its public API."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

import httpx

from ragstead.errors import NotFound, Overloaded, RagsteadError, Unavailable
from ragstead.ports.answer_traces import NO_TRACE, TracedAnswer
from ragstead.traced_answers import ReadSpan, traced_answer

_NAME = "langfuse"
_OBSERVATIONS_PATH = "/api/public/v2/observations"
_TRACES_PATH = "/api/public/traces"
_FIELDS = "basic,io,metadata,trace_context"
_WHOLE = "collection,answered_by"
"""Metadata that may be longer than the 200 characters at which Langfuse cuts what is not named."""
_PAGE = 1000
_MOST_PAGES = 20
_NOT_SERVED = {httpx.codes.NOT_FOUND, httpx.codes.NOT_IMPLEMENTED}
_LATER = "Langfuse shows a trace some seconds after its answer, a busy one later"
_REASON_CHARS = 200

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class LangfuseReader:
    """Whose traces are read.

    Attributes:
        host: Address of the server, without a path.
        public_key: Of the project.
        secret_key: The same.
        timeout_s: For reading one trace, all of its pages.
        through_proxy: Whether the way there is the environment's, with its proxies and certificates.
    """

    host: str
    public_key: str
    secret_key: str
    timeout_s: float
    through_proxy: bool = False


class LangfuseAnswerTraces:
    """Is `AnswerTraces` on a Langfuse server, without its SDK, which takes seconds to import.

    A server of version 4 tells observations, a page at a time, their contents as text; one of version 3 does not serve
    that path, and tells a whole trace with its contents parsed.

    Args:
        reader: Whose traces.

    Source: the `observations` client of Langfuse's SDK 5; version 3 by its server's `traces/{traceId}` route.
    """

    def __init__(self, reader: LangfuseReader) -> None:
        self._timeout_s = reader.timeout_s
        self._http = httpx.AsyncClient(
            base_url=reader.host,
            auth=(reader.public_key, reader.secret_key),
            timeout=reader.timeout_s,
            trust_env=reader.through_proxy,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def find(self, trace_id: str) -> TracedAnswer:
        """Return the answer of a trace.

        Raises:
            NotFound: If there is no such trace, or it holds no answer.
            Overloaded: If the server asks to come back later.
            Unavailable: If it can't be reached, refuses the keys, or gives what can't be read.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                spans = await self._observations(trace_id)
                if spans is None:
                    spans = await self._whole_trace(trace_id)
        except (httpx.HTTPError, TimeoutError) as exc:
            raise Unavailable(_NAME, f"Langfuse can't be reached: {type(exc).__name__}") from exc
        except (ValueError, KeyError, TypeError) as exc:
            what = f"Langfuse's answer to trace {trace_id} can't be read: {exc!r:.{_REASON_CHARS}}"
            raise Unavailable(_NAME, what) from exc
        if not spans:
            raise NotFound(NO_TRACE, trace_id, _LATER)
        return traced_answer(trace_id, spans)

    async def _observations(self, trace_id: str) -> list[ReadSpan] | None:
        """Return the spans in the order in which they began; None where the server does not serve the path."""
        asked = {"traceId": trace_id, "fields": _FIELDS, "expandMetadata": _WHOLE, "limit": str(_PAGE)}
        found: list[Json] = []
        for _ in range(_MOST_PAGES):
            answer = await self._http.get(_OBSERVATIONS_PATH, params=asked)
            if answer.status_code in _NOT_SERVED:
                return None
            page = _document(answer)
            found += _objects(page["data"])
            cursor = _object(page["meta"]).get("cursor")
            if not cursor:
                return _in_order([_text_read(one) for one in found])
            asked["cursor"] = str(cursor)
        raise ValueError(f"more than {_MOST_PAGES} pages of {_PAGE} observations")

    async def _whole_trace(self, trace_id: str) -> list[ReadSpan]:
        """Return the same from a server of version 3; none where it has no such trace."""
        answer = await self._http.get(f"{_TRACES_PATH}/{trace_id}")
        if answer.status_code == httpx.codes.NOT_FOUND and "message" in _object(answer.json()):
            return []
        trace = _document(answer)
        return _in_order([{"release": trace.get("release"), **one} for one in _objects(trace["observations"])])


def _document(answer: httpx.Response) -> Json:
    """Return the body of an answer that is one."""
    if not answer.is_success:
        raise _refusal(answer)
    return _object(answer.json())


def _refusal(answer: httpx.Response) -> RagsteadError:
    status = f"HTTP {answer.status_code}"
    if answer.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        return Unavailable(_NAME, f"Langfuse refuses the keys of deployment.tracing.langfuse: {status}")
    if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
        return Overloaded(f"Langfuse asks to come back later: {status}", retry_after_s=_retry_after_s(answer))
    return Unavailable(_NAME, f"Langfuse can't tell: {status}: {' '.join(answer.text.split())[:_REASON_CHARS]}")


def _retry_after_s(answer: httpx.Response) -> float:
    after = answer.headers.get("Retry-After", "")
    return max(1.0, float(after)) if after.isdecimal() else 1.0


def _in_order(observations: list[Json]) -> list[ReadSpan]:
    return [_read(one) for one in sorted(observations, key=lambda one: str(one["startTime"]))]


def _read(one: Json) -> ReadSpan:
    facts = {name: _fact(value) for name, value in _object(one.get("metadata") or {}).items()}
    if one.get("release"):
        facts["release"] = one["release"]
    return ReadSpan(
        str(one.get("name") or ""),
        str(one.get("parentObservationId") or ""),
        one.get("input"),
        one.get("output"),
        facts,
        str(one["id"]),
    )


def _text_read(one: Json) -> Json:
    """Return the observation with its contents as JSON values where they were sent as such."""
    return {**one, **{name: _content(one.get(name)) for name in ("input", "output")}}


def _content(value: object) -> object:
    """Return a mapping or a list that comes as text; words of people, a number say, stay as they are."""
    if not (isinstance(value, str) and value[:1] in {"{", "["}):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _fact(value: object) -> object:
    """Return a fact, which is sent as JSON and may come as that."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _object(value: object) -> Json:
    if not isinstance(value, dict):
        raise TypeError(f"an object was expected, not {type(value).__name__}")
    return value


def _objects(value: object) -> list[Json]:
    if not isinstance(value, list):
        raise TypeError(f"a list was expected, not {type(value).__name__}")
    return [_object(one) for one in value]
