"""What a release's model answers with: the platform that runs on the data directory, or one opened on it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

from ragstead.adapters.directory_lock import read_owner
from ragstead.errors import Conflict, Unavailable
from ragstead.model import Answer, Citation
from ragstead.pipelines.asking import AskRequest
from ragstead.releases import read_manifest, release_id
from ragstead.settings import load_settings

T = TypeVar("T")
_TIMEOUT_S = 600.0


def open_answering(manifest: str, config: Mapping[str, Any]) -> RunningPlatform | OpenedRelease:
    """Return what answers by the release of a manifest.

    Args:
        manifest: Its text.
        config: `url` of a platform, `api_key`, `data_dir`, `settings` (a configuration file), each may be None.

    Raises:
        InvalidRequest: If the manifest was changed.
        ConfigurationError: If the configuration file is off.
    """
    expected = str(config.get("release") or release_id(json.loads(manifest)))
    release = read_manifest(manifest, expected)
    key = str(config.get("api_key") or "")
    if config.get("url"):
        return RunningPlatform(str(config["url"]), expected, key)
    path = Path(str(config["settings"])) if config.get("settings") else None
    settings = load_settings(path, data_dir=Path(str(config["data_dir"])) if config.get("data_dir") else None)
    owner = read_owner(settings.deployment.data_dir)
    if owner is not None and owner.address:
        return RunningPlatform(owner.address, expected, key)

    async def opened(stack: AsyncExitStack) -> Any:
        from ragstead.bootstrap.live import Serving  # noqa: PLC0415  (seconds, when there is something to answer)
        from ragstead.bootstrap.platform import open_platform  # noqa: PLC0415

        return await stack.enter_async_context(open_platform(settings, Serving(release)))

    return OpenedRelease(opened)


class RunningPlatform:
    """Asks a platform over HTTP; answers of another release than the model's are an error.

    Args:
        url: Of the platform.
        expected: The release that is to answer.
        api_key: Shown to it; empty for none.
    """

    def __init__(self, url: str, expected: str, api_key: str = "") -> None:
        import httpx  # noqa: PLC0415  (when it is needed)

        headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        self._client = httpx.Client(base_url=url, headers=headers, timeout=_TIMEOUT_S, trust_env=False)
        self._failures = httpx.HTTPError
        self._url = url
        self._expected = expected

    def answer(self, questions: Sequence[str], collection: str) -> list[dict[str, Any]]:
        """Return an answer for each question.

        Raises:
            Unavailable: If the platform does not answer.
            Conflict: If another release is live there.
        """
        return [self._answer(question, collection) for question in questions]

    def _answer(self, question: str, collection: str) -> dict[str, Any]:
        body = {
            "model": "ragstead",
            "messages": [{"role": "user", "content": question}],
            "rag": {"collection": collection},
        }
        try:
            response = self._client.post("/v1/chat/completions", json=body)
        except self._failures as error:
            raise Unavailable("platform", f"{self._url} does not answer: {error}") from error
        if not response.is_success:
            raise Unavailable("platform", f"{self._url} answered {response.status_code}: {response.text[:300]}")
        told = response.json()
        rag = told["rag"]
        if rag["release"] != self._expected:
            raise Conflict(
                f"{self._url} serves release {rag['release']}, this model is {self._expected}: "
                "promote it, or give a data_dir on which no platform runs"
            )
        return {
            "answer": told["choices"][0]["message"]["content"],
            **{name: rag[name] for name in ("refused", "reason", "p_supported", "release")},
            "citations": told["citations"],
        }


class OpenedRelease:
    """Answers in this process, on an event loop of its own that lives as long as this does.

    Args:
        opened: Opens the platform.
    """

    def __init__(self, opened: Any) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="ragstead-release", daemon=True)
        self._thread.start()
        self._stack = AsyncExitStack()
        self._platform = self._run(opened(self._stack))

    def answer(self, questions: Sequence[str], collection: str) -> list[dict[str, Any]]:
        """Return an answer for each question."""
        return self._run(self._answers(questions, collection))

    def close(self) -> None:
        """Close the platform; nothing is answered after that."""
        self._run(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _answers(self, questions: Sequence[str], collection: str) -> list[dict[str, Any]]:
        return [_shown(await self._platform.answerer.answer(AskRequest(one, collection))) for one in questions]

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        future: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return future.result()


def _shown(answer: Answer) -> dict[str, Any]:
    return {
        "answer": answer.content,
        "refused": answer.refused,
        "reason": answer.reason.value if answer.reason else None,
        "p_supported": answer.p_supported,
        "release": answer.receipt.release,
        "citations": [_citation(one) for one in answer.citations],
    }


def _citation(citation: Citation) -> dict[str, Any]:
    """Return a citation in the shape of the HTTP API's."""
    stored = citation.stored
    return {
        "n": citation.n,
        "start": citation.start,
        "end": citation.end,
        "document_id": stored.document_id,
        "file_id": stored.file_id,
        "chunk_id": stored.chunk_id,
        "filename": stored.filename,
        "page": stored.chunk.page_at(citation.quote_start),
        "quote": citation.quote,
        "quote_start": citation.quote_start,
        "quote_end": citation.quote_end,
        "score": citation.score,
        "verdict": citation.verdict.value,
    }
