"""`ragstead up` and `ragstead serve`: the platform in this process, for others."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sys
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ragstead.errors import InvalidRequest, RagsteadError, StoreInUse
from ragstead_cli.output import console, print_json, say
from ragstead_cli.verb import Invocation, verb

if TYPE_CHECKING:
    from fastapi import FastAPI

    from ragstead.settings import Settings
    from ragstead_cli.api import Api

_QUESTION = "How many days of annual leave do I get?"

PortOption = Annotated[
    int | None,
    typer.Option("--port", help="Port; the configuration's (8080) if not given.", min=0, max=65535),
]
EmbeddingPortOption = Annotated[
    int | None,
    typer.Option("--port", help="Port; the configuration's (8081) if not given.", min=0, max=65535),
]
ProfileOption = Annotated[
    str, typer.Option("--profile", metavar="NAME", help="Profile of configs/generation, or of your own folder.")
]
ModelOption = Annotated[
    str | None, typer.Option("--model", metavar="MODEL", help="A folder or hub name in place of the profile's model.")
]
VllmPortOption = Annotated[
    int | None,
    typer.Option("--port", help="Port; the configuration's (8000) if not given.", min=0, max=65535),
]
PrintCommandOption = Annotated[bool, typer.Option("--print-command", help="Print what would be run, and run nothing.")]
SamplesOption = Annotated[
    Path | None,
    typer.Option("--samples", metavar="DIR", help="Folder to ingest into 'default' if the store is empty."),
]


MlflowOption = Annotated[
    bool | None,
    typer.Option("--mlflow/--no-mlflow", help="Start MLflow's server beside it; deployment.mlflow.serve if not given."),
]


def up(
    invocation: Invocation, port: PortOption = None, samples: SamplesOption = None, mlflow: MlflowOption = None
) -> int:
    """Serve the whole platform from this process, until Ctrl-C."""
    if samples is not None and not samples.is_dir():
        raise InvalidRequest(f"--samples {str(samples)!r} is no folder; check the path", param="--samples")
    return _run(_serve(invocation, port, samples, mlflow=mlflow))


def gateway(invocation: Invocation, port: PortOption = None) -> int:
    """Serve the API gateway, until Ctrl-C."""
    return _run(_serve(invocation, port, None))


def embedding(invocation: Invocation, port: EmbeddingPortOption = None) -> int:
    """Serve the embeddings API alone, until Ctrl-C."""
    from ragstead_embedding.app import run_embedding

    def ready(url: str) -> None:
        if invocation.json:
            print_json({"url": url, "pid": os.getpid()})
        else:
            console().print(f"Ragstead embeds on {url}/v1/embeddings", style="bold")

    return _run(run_embedding(invocation.settings(), port, on_ready=ready))


async def generation(
    invocation: Invocation,
    profile: ProfileOption,
    port: VllmPortOption = None,
    model: ModelOption = None,
    print_command: PrintCommandOption = False,
) -> int:
    """Serve a language model with vLLM, until Ctrl-C; ends with vLLM's exit code."""
    from ragstead_generation.serving import Wanted, command_of, run_generation

    settings, wanted = invocation.settings(), Wanted(profile, model, port)
    if print_command:
        command = command_of(settings, wanted)
        document = {"command": list(command.words), "environment": command.environment}
        invocation.show(document, lambda: console().print(str(command)))
        return 0

    def ready(url: str) -> None:
        if invocation.json:
            print_json({"url": url, "pid": os.getpid()})
        else:
            console().print(f"vLLM serves {profile} on {url}/v1", style="bold")

    return await run_generation(settings, wanted, environ=invocation.environ, on_ready=ready)


def register(app: typer.Typer) -> None:
    """List the verbs."""
    verb(app, "up", example="ragstead up --port 8080")(up)
    group = typer.Typer(help="Serve one service.", rich_markup_mode=None)
    verb(group, "gateway", example="ragstead serve gateway --port 8080")(gateway)
    verb(group, "embedding", example="ragstead serve embedding --port 8081")(embedding)
    verb(group, "generation", example="ragstead serve generation --profile llama-3.1-8b")(generation)
    app.add_typer(group, name="serve")


def _run(main: Coroutine[Any, Any, None]) -> int:
    from ragstead_serving.server import run

    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    run(main)
    return 0


async def _serve(
    invocation: Invocation, port: int | None, samples: Path | None, *, mlflow: bool | None = False
) -> None:
    from ragstead.bootstrap.live import Serving
    from ragstead.bootstrap.ownership import read_owner
    from ragstead.bootstrap.platform import open_platform
    from ragstead.settings import resolve_secret
    from ragstead_gateway.app import create_app
    from ragstead_serving.host_rules import check_exposure
    from ragstead_serving.server import bind, serve

    settings = invocation.settings()
    host = settings.deployment.host
    keys = [resolve_secret(reference, invocation.environ) for reference in settings.deployment.api_keys]
    check_exposure(host, keys)
    owner = read_owner(settings.deployment.data_dir)
    if owner is not None:
        raise StoreInUse(
            f"data directory {settings.deployment.data_dir} is in use by {owner}; use that one, stop it, "
            "or give another with --data-dir"
        )
    listener = bind(host, settings.deployment.port if port is None else port)
    async with contextlib.AsyncExitStack() as stack:
        mlflow_url = await _mlflow(settings, stack, wanted=mlflow)
        serving = Serving(champion=True, mlflow_url=mlflow_url)
        platform = await stack.enter_async_context(open_platform(settings, serving))
        app = create_app(platform, api_keys=keys)

        def ready(url: str) -> None:
            platform.lock.publish(url)
            task = asyncio.create_task(_welcome(invocation, url, _Serving(app, settings, keys), samples))
            stack.push_async_callback(_cancelled, task)

        await serve(app, listener, on_ready=ready)


async def _mlflow(settings: Settings, stack: contextlib.AsyncExitStack, *, wanted: bool | None) -> str | None:
    """Return the address of the MLflow to follow: the configured one, or one started here, which nothing waits for."""
    given = settings.deployment.mlflow
    if given.url is not None or not (given.serve if wanted is None else wanted):
        return given.url
    from ragstead.bootstrap.mlflow import start_server, wait_for_server

    try:
        server = await start_server(settings, stack)
    except RagsteadError as error:
        say(f"ragstead: no MLflow beside the platform: {error}")
        return None

    async def announce() -> None:
        try:
            await wait_for_server(server)
        except RagsteadError as error:
            say(f"ragstead: no MLflow beside the platform: {error}")
        else:
            say(f"ragstead: MLflow serves releases and experiments on {server.url}")

    stack.push_async_callback(_cancelled, asyncio.create_task(announce()))
    return server.url


@dataclass(frozen=True, slots=True)
class _Serving:
    """What serves."""

    app: FastAPI
    settings: Settings
    api_keys: list[str]


async def _welcome(invocation: Invocation, url: str, serving: _Serving, samples: Path | None) -> None:
    """Say where it is; put the samples in; show how to ask."""
    from ragstead_cli.session import local_api

    if invocation.json:
        print_json({"url": url, "pid": os.getpid()})
    else:
        console().print(f"Ragstead serves on {url}", style="bold")
    if samples is not None:
        try:
            async with local_api(serving.app, serving.settings, serving.api_keys) as api:
                await _ingest_samples(api, samples, serving.settings)
        except RagsteadError as error:
            say(f"ragstead: the samples are not in: {error}")
    if not invocation.json:
        body = json.dumps({"model": "ragstead", "messages": [{"role": "user", "content": _QUESTION}]})
        key = ' -H "authorization: Bearer $RAGSTEAD_API_KEY"' if serving.api_keys else ""
        out = console()
        out.print(f"\ncurl -s {url}/v1/chat/completions -H 'content-type: application/json'{key} -d '{body}'")
        out.print("\nCtrl-C stops it.", style="dim")


async def _ingest_samples(api: Api, samples: Path, settings: Settings) -> None:
    from ragstead_cli.ingest import Format, run
    from ragstead_cli.uploads import Uploader

    stores = (await api.get("/v1/vector_stores"))["data"]
    if any(store["file_counts"]["total"] for store in stores):
        return
    say(f"ragstead: the store is empty; ingesting {samples}")
    uploader = Uploader(api, "default", {}, max_bytes=settings.deployment.max_upload_bytes)
    report = await run(uploader, [samples], Format.FILES)
    seconds = report.document()["seconds"]
    say(f"ragstead: {report.counts['indexed']} documents, {report.chunks} chunks in {seconds:.1f} s")
    for failure in report.failures:
        say(f"ragstead: {failure.path} failed: {failure.reason}")


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    if not task.cancelled() and task.exception() is not None:
        say(f"ragstead: {task.exception()}")
