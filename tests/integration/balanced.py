"""The stack of compose/compose.yaml as processes on loopback: nginx, two replicas, Redis, each with its own port."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from string import Template
from typing import Any

import yaml

from programs import free_port, needed

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "compose"
KEY = "the tests' key"


class Child:
    """A process that answers on a port of its own, and may be killed and started again."""

    def __init__(self, command: Sequence[str | Path], *, log: Path, port: int, path: str | None = None) -> None:
        self.port = port
        self.address = f"127.0.0.1:{port}"
        self.log = log
        self._command = command
        self._path = path
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        environ = {**os.environ, "RAGSTEAD_API_KEY": KEY}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=log, env=environ)

    def wait(self) -> None:
        """Wait until it answers."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self.runs:
            with suppress(OSError, http.client.HTTPException):
                if self._answers():
                    return
            time.sleep(0.03)
        raise AssertionError(f"{self._command} does not answer:\n{self.log.read_text()[-2000:]}")

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.connect()
            if self._path is None:
                return True
            connection.request("GET", self._path)
            return connection.getresponse().status == 200
        finally:
            connection.close()

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self) -> None:
        """End it in order; nginx's workers would outlive a master that is killed."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=20)


class Stack:
    """nginx by the committed template, before two replicas by the committed configuration, which share a Redis."""

    def __init__(self, folder: Path) -> None:
        self.redis = redis_server(folder)
        self.replicas = [replica(folder, n, redis=self.redis) for n in (1, 2)]
        self.nginx = nginx(folder, [one.address for one in self.replicas])
        self._read = 0

    @property
    def url(self) -> str:
        return f"http://{self.nginx.address}"

    def start(self) -> None:
        """Start what does not run, and wait until it answers."""
        down = [child for child in (self.redis, *self.replicas, self.nginx) if not child.runs]
        for child in down:
            child.start()
        for child in down:
            child.wait()

    def stop(self) -> None:
        for child in (self.nginx, *self.replicas, self.redis):
            child.stop()

    def served(self) -> list[dict[str, str]]:
        """The lines of nginx's access log since the last call; one is written after its request's answer."""
        time.sleep(0.1)
        lines = self.nginx.log.read_bytes().splitlines(keepends=True)[self._read :]
        lines = [line for line in lines if line.endswith(b"\n")]
        self._read += len(lines)
        return [json.loads(line) for line in lines if line.startswith(b"{")]

    def broken_off(self) -> int:
        """Answers whose replica died between their head, which can't be taken back, and their end.

        A replica writes the two within some tenths of a millisecond; one kill in a hundred falls between them.
        """
        return self.nginx.log.read_text().count("prematurely closed connection while reading upstream")


def redis_server(folder: Path) -> Child:
    port = free_port()
    command = [needed("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    return Child(command, log=folder / "redis.log", port=port)


def replica(folder: Path, n: int, *, redis: Child) -> Child:
    """A replica with a cache that it shares, and few requests at once, so that it can be kept busy."""
    cache = folder / "redis_url"
    cache.write_text(f"redis://{redis.address}/0")
    own = {"max_waiting": 8, "cpu_threads": 1, "embedding": {"cache_url": f"file:{cache}"}}
    return embedding_service(folder, own, log=f"replica-{n}.log")


def embedding_service(folder: Path, deployment: Mapping[str, Any], *, log: str = "service.log") -> Child:
    """`ragstead serve embedding` by the CPU image's configuration; on loopback, and what else is this one's own."""
    config = yaml.safe_load((COMPOSE / "embedding" / "cpu.yaml").read_text())
    del config["deployment"]["models_dir"]  # the environment's own
    config["deployment"] |= {"host": "127.0.0.1", **deployment}
    written = folder / "cpu.yaml"
    written.write_text(yaml.safe_dump(config))
    port = free_port()
    command = [sys.executable, "-m", "ragstead_cli.main", "serve", "embedding", "--config", written]
    return Child([*command, "--port", str(port)], log=folder / log, port=port, path="/health/ready")


def nginx(folder: Path, replicas: Sequence[str]) -> Child:
    port = free_port()
    config = rendered(folder, listen=f"127.0.0.1:{port}", replicas=replicas)
    return Child(nginx_command(folder, config), log=folder / "nginx.log", port=port)


def nginx_command(folder: Path, config: Path) -> list[str | Path]:
    # as root the workers would be somebody else, who may not enter the tests' folders
    user = ["-g", "user root;"] if os.geteuid() == 0 else []
    return [needed("nginx"), "-e", "stderr", "-p", folder, "-c", config, *user]


def rendered(folder: Path, *, listen: str, replicas: Sequence[str]) -> Path:
    """nginx's configuration from its template, as the image's envsubst writes it: nginx's own variables stay."""
    template = (COMPOSE / "nginx" / "nginx.conf.template").read_text()
    names = {"EMBEDDING_LISTEN": listen, "EMBEDDING_RUN_DIR": str(folder)}
    names |= {f"EMBEDDING_{n}": address for n, address in enumerate(replicas, 1)}
    written = folder / "nginx.conf"
    written.write_text(Template(template).safe_substitute(names))
    return written
