"""Sets Ragstead up on a fresh machine and serves it in the foreground until Ctrl-C: `make up`."""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from setup_env import (
    ROOT,
    SetupFailed,
    Stages,
    check_disk,
    check_venv_module,
    child_of,
    in_venv,
    main_of,
    prepare,
    say,
)

READY_WITHIN_S = 600.0
SAMPLES = ROOT / "samples" / "handbook"
QUESTION = "How many days of paid annual leave do full-time employees have?"
MLFLOW_PORT = 5001  # 5000 is taken on a Mac


def port_is_free(port: int) -> bool:
    """Says whether the loopback port can be bound."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def ready(port: int) -> bool | None:
    """Says whether a Ragstead at the port is ready; None where none answers there."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{port}/health/ready", timeout=2) as response:
            body = response.read()
    except urllib.error.HTTPError as error:
        body = error.read()
    except (OSError, ValueError):
        return None
    try:
        return bool(json.loads(body)["ready"])
    except (ValueError, KeyError, TypeError):
        return None


def check_ports(port: int) -> None:
    """Refuses a port that another program holds, and says how to find that program or go round it."""
    if not port_is_free(port):
        raise SetupFailed(
            f"port {port} is taken by another program. Find it with `lsof -nP -iTCP:{port} -sTCP:LISTEN` and stop it, "
            f"or serve elsewhere: make up PORT={port + 10}"
        )
    if not port_is_free(MLFLOW_PORT):
        say(f"note: port {MLFLOW_PORT} is taken by another program, so MLflow is not started; all else is as usual")


def announce(port: int) -> None:
    """Prints the address of a platform that ran already, and one command to paste."""
    url = f"http://127.0.0.1:{port}"
    body = json.dumps({"model": "ragstead", "messages": [{"role": "user", "content": QUESTION}]})
    say(f"\nRagstead serves {url}. Ask it something:\n")
    say(f"curl -s {url}/v1/chat/completions -H 'Content-Type: application/json' -d '{body}'\n")


def wait_until_ready(child: subprocess.Popen[str], port: int) -> None:
    """Returns once the platform is ready.

    Raises:
        SetupFailed: If it ends, or is not ready in time.
    """
    deadline = time.monotonic() + READY_WITHIN_S
    while not ready(port):
        if child.poll() is not None:
            raise SetupFailed(
                f"the platform ended with exit {child.returncode} before it was ready; its reason is above"
            )
        if time.monotonic() > deadline:
            raise SetupFailed(
                f"the platform was not ready within {READY_WITHIN_S:.0f} s; run .venv/bin/ragstead doctor"
            )
        time.sleep(0.1)


def serve(port: int, number: str) -> int:
    """Runs the platform until it ends or is stopped."""
    say(f"{number} platform ...")
    started = time.monotonic()
    command: list[str | Path] = [in_venv("ragstead"), "up", "--port", str(port), "--samples", SAMPLES, "--mlflow"]
    with child_of(command, environ={"HF_HUB_OFFLINE": "1"}) as child:
        wait_until_ready(child, port)
        say(f"{number} platform: ready after {time.monotonic() - started:.1f} s")
        return child.wait()  # the platform itself ends with its address and a curl, once the samples are in


def up() -> int:
    """Checks, sets up, serves; the exit code of the platform."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", default=os.environ.get("PORT") or "8080", help="default: 8080, or PORT")
    given: str = parser.parse_args().port
    if not (given.isdecimal() and 0 < int(given) < 65536):
        raise SetupFailed(f"port {given!r} is no number from 1 to 65535: make up PORT=8081")
    port = int(given)
    if ready(port) is not None:
        say(f"a Ragstead runs at port {port} already; for one more from another folder: make up PORT={port + 10}")
        announce(port)
        return 0
    stages = Stages(total=5)
    check_venv_module()
    if not stages.complete():
        check_disk()
    check_ports(port)
    prepare(stages)
    return serve(port, "[5/5]")


if __name__ == "__main__":
    main_of(up)
