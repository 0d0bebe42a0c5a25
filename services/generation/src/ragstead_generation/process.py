"""The server's process: started, waited for until it answers, told of signals, and left behind by nobody.

vLLM is several processes. Where its first one is killed the others live on and keep the GPU, so all of them are one
process group, which goes when the first one ends; and where this process is killed, the kernel tells the first one.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import httpx

from ragstead.errors import Unavailable
from ragstead_generation.command import VllmCommand

_POLL_S = 0.25
_GRACE_S = 20.0
_ON_SIGNAL = 128
_DEATH_SIGNAL = (
    "import ctypes, os, signal, sys\n"
    "if sys.platform == 'linux': ctypes.CDLL(None).prctl(1, signal.SIGTERM)\n"
    "if os.getppid() != int(sys.argv[1]): sys.exit(1)\n"
    "os.execv(sys.argv[2], sys.argv[2:])\n"
)
"""Run in the child before vLLM takes its place: PR_SET_PDEATHSIG outlives the exec."""

ENVIRONMENT_HINT = (
    "make it with `python3 scripts/generation_env.py` in Ragstead's checkout, "
    "or name another in deployment.generation.vllm.python"
)


@dataclass(frozen=True, slots=True)
class Served:
    """A server that is to be.

    Attributes:
        command: What starts it.
        url: Where it will answer.
        environ: The environment that the command's variables come into.
        ready_s: Seconds that it may take to load.
    """

    command: VllmCommand
    url: str
    environ: Mapping[str, str]
    ready_s: float


async def serve_until_it_ends(served: Served, *, on_ready: Callable[[], None]) -> int:
    """Run the server until it ends, by itself or by a SIGINT or SIGTERM that reaches us; nothing of it is left then.

    A second signal, or twenty seconds after the first, kills it.

    Args:
        served: What, and where.
        on_ready: Called once, when it answers.

    Returns:
        Its exit status; 128 and the signal's number where one killed it.

    Raises:
        Unavailable: If its Python is not there, or it does not answer in time.
    """
    async with _running(served) as process, _signals_passed_on(process):
        ended = asyncio.ensure_future(process.wait())
        answering = asyncio.ensure_future(_answers(served))
        try:
            await asyncio.wait({ended, answering}, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                answering.result()
                on_ready()
            status = await ended
        finally:
            for task in (ended, answering):
                task.cancel()
            await asyncio.gather(ended, answering, return_exceptions=True)
    return status if status >= 0 else _ON_SIGNAL - status


@asynccontextmanager
async def _running(served: Served) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the server in a process group of its own, which is killed at the end; its words go to standard error."""
    python = served.command.words[0]
    try:
        process = await asyncio.create_subprocess_exec(
            python,
            "-c",
            _DEATH_SIGNAL,
            str(os.getpid()),
            *served.command.words,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),
            start_new_session=True,
            env={**served.environ, **served.command.environment},
        )
    except (FileNotFoundError, PermissionError) as error:
        raise Unavailable("generation", f"vLLM's environment is not there ({python}); {ENVIRONMENT_HINT}") from error
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


@asynccontextmanager
async def _signals_passed_on(process: asyncio.subprocess.Process) -> AsyncIterator[None]:
    """Pass signals on to the server; what does not obey is killed."""
    loop = asyncio.get_running_loop()
    killing: list[asyncio.TimerHandle] = []

    def kill() -> None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    def pass_on(number: signal.Signals) -> None:
        if killing:
            kill()
            return
        with suppress(ProcessLookupError):
            process.send_signal(number)
        killing.append(loop.call_later(_GRACE_S, kill))

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, pass_on, number)
    try:
        yield
    finally:
        for timer in killing:
            timer.cancel()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


async def _answers(served: Served) -> None:
    """Wait until the server says that it is healthy, which it does with its weights loaded."""
    async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
        with suppress(TimeoutError):
            async with asyncio.timeout(served.ready_s):
                while True:
                    with suppress(httpx.HTTPError):
                        if (await client.get(f"{served.url}/health")).status_code == httpx.codes.OK:
                            return
                    await asyncio.sleep(_POLL_S)
    raise Unavailable(
        "generation", f"vLLM did not answer after {served.ready_s:g} s; see its log, or raise generation.vllm.ready_s"
    )
