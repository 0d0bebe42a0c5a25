"""The least that passes a stream on: Starlette and httpx, no checks, no names, no limits. `PORT MODEL_SERVER_URL`."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route


def app_of(url: str) -> Starlette:
    """Return the app that passes chat completions on to `url`."""
    client = httpx.AsyncClient(limits=httpx.Limits(max_connections=None, max_keepalive_connections=256), timeout=60)

    async def relay(request: Request) -> Response:
        sent = client.build_request(
            "POST", url, content=await request.body(), headers={"content-type": "application/json"}
        )
        response = await client.send(sent, stream=True)

        async def body() -> AsyncIterator[bytes]:
            async for some in response.aiter_raw():
                yield some
            await response.aclose()

        return StreamingResponse(body(), response.status_code, media_type=response.headers["content-type"])

    async def ready(_: Request) -> Response:
        return Response("{}")

    return Starlette(routes=[Route("/v1/chat/completions", relay, methods=["POST"]), Route("/health/ready", ready)])


if __name__ == "__main__":
    uvicorn.run(app_of(sys.argv[2]), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", access_log=False)
