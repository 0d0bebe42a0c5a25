"""The least that passes a stream on: Starlette and aiohttp, no checks, no names, no limits. `PORT MODEL_SERVER_URL`."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncIterator

import aiohttp
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route


def app_of(url: str) -> Starlette:
    """Return the app that passes chat completions on to `url`."""
    sessions: list[aiohttp.ClientSession] = []

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            sessions.append(session)
            yield

    async def relay(request: Request) -> Response:
        headers = {"content-type": "application/json"}
        response = await sessions[0].post(url, data=await request.body(), headers=headers)

        async def body() -> AsyncIterator[bytes]:
            async for some in response.content.iter_any():
                yield some
            response.release()

        return StreamingResponse(body(), response.status, media_type=response.headers["content-type"])

    async def ready(_: Request) -> Response:
        return Response("{}")

    routes = [Route("/v1/chat/completions", relay, methods=["POST"]), Route("/health/ready", ready)]
    return Starlette(routes=routes, lifespan=lifespan)


if __name__ == "__main__":
    uvicorn.run(app_of(sys.argv[2]), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", access_log=False)
