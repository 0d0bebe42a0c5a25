"""What a release's model answers with: the platform that runs on the data directory, or one opened on it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from ragstead.adapters.directory_lock import read_owner
from ragstead.bootstrap.live import Serving
from ragstead.bootstrap.platform import open_platform
from ragstead.errors import Conflict, Unavailable
from ragstead.model import Answer, Citation
from ragstead.pipelines.asking import AskRequest
from ragstead.releases import read_manifest, release_id
from ragstead.settings import load_settings

_TIMEOUT_S = 600.0


def answers_of(manifest: str, config: Mapping[str, Any], questions: Sequence[str]) -> list[dict[str, Any]]:
    """Return an answer for each question, by the release of a manifest.

    The platform that is configured is asked, or the one on the data directory; where none runs there, one is opened on
    it for these questions and closed again.

    Args:
        manifest: Its text.
        config: `url` of a platform, `api_key`, `data_dir`, `settings` (a configuration file), each may be None;
            `collection`.
        questions: In words.

    Raises:
        InvalidRequest: If the manifest was changed.
        ConfigurationError: If the configuration file is off.
        Conflict: If the platform serves another release, or the data directory can't honour this one.
        Unavailable: If the platform does not answer.
    """
    expected = str(config.get("release") or release_id(json.loads(manifest)))
    release = read_manifest(manifest, expected)
    collection = str(config.get("collection") or "default")
    address = config.get("url")
    path = Path(str(config["settings"])) if config.get("settings") else None
    settings = load_settings(path, data_dir=Path(str(config["data_dir"])) if config.get("data_dir") else None)
    if not address:
        owner = read_owner(settings.deployment.data_dir)
        address = owner.address if owner is not None else None
    if address:
        return _asked(str(address), str(config.get("api_key") or ""), expected, collection, questions)

    async def opened() -> list[dict[str, Any]]:
        async with open_platform(settings, Serving(release)) as platform:
            return [_shown(await platform.answerer.answer(AskRequest(one, collection))) for one in questions]

    with ThreadPoolExecutor(1) as thread:  # a loop of its own, as a notebook's runs already in the caller's thread
        return thread.submit(lambda: asyncio.run(opened())).result()


def _asked(url: str, api_key: str, expected: str, collection: str, questions: Sequence[str]) -> list[dict[str, Any]]:
    headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
    # No proxy of the environment's: the platform is on this machine, or where the caller says.
    with httpx.Client(base_url=url, headers=headers, timeout=_TIMEOUT_S, trust_env=False) as client:
        return [_answered(client, expected, collection, one) for one in questions]


def _answered(client: httpx.Client, expected: str, collection: str, question: str) -> dict[str, Any]:
    messages = [{"role": "user", "content": question}]
    body = {"model": "ragstead", "messages": messages, "rag": {"collection": collection}}
    try:
        response = client.post("/v1/chat/completions", json=body)
    except httpx.HTTPError as error:
        raise Unavailable("platform", f"{client.base_url} does not answer: {error}") from error
    if not response.is_success:
        raise Unavailable("platform", f"{client.base_url} answered {response.status_code}: {response.text[:300]}")
    told = response.json()
    rag = told["rag"]
    if rag["release"] != expected:
        raise Conflict(
            f"{client.base_url} serves release {rag['release']}, this model is {expected}: promote it, or give a "
            "data_dir on which no platform runs"
        )
    return {
        "answer": told["choices"][0]["message"]["content"],
        **{name: rag[name] for name in ("refused", "reason", "p_supported", "release")},
        "citations": told["citations"],
    }


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
