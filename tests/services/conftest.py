from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from ragstead_gateway.app import create_app
from services.fake_platform import FakePlatform
from services.live_server import serving


class InProcess:
    """Drives an app over httpx's ASGITransport, from tests without a loop."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def __call__(self, method: str, path: str, **how: Any) -> httpx.Response:
        async def call() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", trust_env=False) as client:
                return await client.request(method, path, **how)

        return asyncio.run(call())


@pytest.fixture
def platform(tmp_path: Path) -> FakePlatform:
    return FakePlatform(tmp_path)


@pytest.fixture
def call(platform: FakePlatform) -> InProcess:
    return InProcess(create_app(platform))


@pytest.fixture
def handbook(call: InProcess) -> str:
    """A collection with two documents; gives its id."""
    documents = [
        {"document_id": "leave.md", "text": "Parents take 20 days of leave each year", "attributes": {"year": 2024}},
        {"document_id": "lunch.md", "text": "Lunch is free on Fridays", "attributes": {"year": 2023, "draft": True}},
    ]
    answer = call("POST", "/v1/vector_stores/handbook/documents", json={"documents": documents})
    assert answer.status_code == 202, answer.text
    return str(call("GET", "/v1/vector_stores/handbook").json()["id"])


@pytest.fixture
def live(platform: FakePlatform) -> Iterator[str]:
    with serving(create_app(platform)) as url:
        yield url
