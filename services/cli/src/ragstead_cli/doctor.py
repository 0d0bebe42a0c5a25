"""`ragstead doctor`: what is wrong, and how to mend it."""

from __future__ import annotations

import platform as machine
import shutil
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ragstead.errors import ConfigurationError, RagsteadError, StoreInUse, Unavailable
from ragstead_cli.output import console
from ragstead_cli.verb import Invocation, verb

if TYPE_CHECKING:
    from ragstead.bootstrap.diagnosis import Finding
    from ragstead.settings import Settings

_FREE_BYTES = 1 << 30
_FAILED, _UNREACHABLE = 1, 4
_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


async def doctor(invocation: Invocation) -> int:
    """Check Python, configuration, disk, data directory, database, models, indexes and port, and say how to mend them.

    Exits 1 where a check fails, 4 where something needed can't be reached.
    """
    from ragstead.bootstrap.diagnosis import Finding

    findings = [_python()]
    reachable = True
    try:
        settings = invocation.settings()
    except ConfigurationError as error:
        findings.append(Finding("configuration", "fail", str(error), "mend the file; see configs/ragstead.yaml"))
    else:
        name = str(invocation.config or "the defaults")
        findings.append(Finding("configuration", "ok", f"{name} can be used"))
        findings += _on_disk(settings)
        live, reachable = await _alive(invocation, settings)
        findings += live
    failed = any(finding.status == "fail" for finding in findings)
    checks = [{"check": f.check, "status": f.status, "detail": f.detail, "mend": f.mend} for f in findings]
    invocation.show({"ok": not failed, "checks": checks}, lambda: _show(findings))
    if not reachable:
        return _UNREACHABLE
    return _FAILED if failed else 0


def register(app: typer.Typer) -> None:
    """List the verb."""
    verb(app, "doctor", example="ragstead doctor --data-dir .ragstead")(doctor)


def _python() -> Finding:
    from ragstead.bootstrap.diagnosis import Finding

    version = f"{machine.python_version()} on {machine.system()} {machine.machine()}"
    if (3, 11) <= sys.version_info < (3, 14):
        return Finding("python", "ok", version)
    return Finding("python", "fail", version, "use Python 3.11, 3.12 or 3.13")


def _on_disk(settings: Settings) -> list[Finding]:
    from ragstead.bootstrap.diagnosis import examine_database, examine_models

    return [_disk(settings.deployment.data_dir), examine_database(settings), examine_models(settings)]


def _disk(data_dir: Path) -> Finding:
    from ragstead.bootstrap.diagnosis import Finding

    there = next(folder for folder in (data_dir.absolute(), *data_dir.absolute().parents) if folder.exists())
    try:
        free = shutil.disk_usage(there).free
    except OSError as error:
        return Finding("disk", "fail", f"{there}: {error.strerror}", "give another with --data-dir")
    detail = f"{free / (1 << 30):.1f} GiB free at {there}"
    if free < _FREE_BYTES:
        return Finding("disk", "warn", detail, "free some space: below 1 GiB an ingestion may not end")
    return Finding("disk", "ok", detail)


async def _alive(invocation: Invocation, settings: Settings) -> tuple[list[Finding], bool]:
    """Examine the platform that runs, or open one; also whether it could be reached."""
    from ragstead.bootstrap.diagnosis import Finding, examine_indexes
    from ragstead.bootstrap.ownership import read_owner

    owner = read_owner(settings.deployment.data_dir)
    if owner is not None:
        try:
            return [
                Finding("data directory", "ok", f"in use by {owner}"),
                *await _readiness(invocation, settings),
            ], True
        except Unavailable as error:
            return [Finding("data directory", "fail", str(error), "stop that process, or wait for it to end")], False
    found = [_port(settings)]
    if not settings.deployment.data_dir.exists():
        return [*found, Finding("data directory", "ok", f"{settings.deployment.data_dir} is not there yet")], True
    from ragstead.bootstrap.platform import open_platform

    try:
        async with open_platform(settings) as platform:
            found.append(Finding("data directory", "ok", f"{settings.deployment.data_dir} is free, and opens"))
            found += _dependencies(await platform.readiness())
            return [*found, *await examine_indexes(platform)], True
    except RagsteadError as error:
        found.append(Finding("data directory", "fail", str(error), "see the message, and the checks above"))
        with_servers = settings.deployment.milvus_uri or settings.deployment.metadata_url
        unreachable = isinstance(error, StoreInUse) or (with_servers and isinstance(error, Unavailable))
        return found, not unreachable


async def _readiness(invocation: Invocation, settings: Settings) -> list[Finding]:
    from ragstead_cli.session import connect

    async with connect(invocation, settings) as api:
        document = await api.probe("/health/ready")
    return _dependencies({name: (d["ready"], d["detail"]) for name, d in document["dependencies"].items()})


def _dependencies(readiness: dict[str, tuple[bool, str]]) -> list[Finding]:
    from ragstead.bootstrap.diagnosis import Finding

    return [
        Finding(name, "ok" if ready else "fail", detail, "" if ready else "start it, or see its log")
        for name, (ready, detail) in readiness.items()
    ]


def _port(settings: Settings) -> Finding:
    from ragstead.bootstrap.diagnosis import Finding

    host, port = settings.deployment.host, settings.deployment.port
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), port))
        except OSError as error:
            return Finding("port", "warn", f"{host}:{port}: {error.strerror}", "ragstead up --port with another number")
    return Finding("port", "ok", f"{port} is free")


def _show(findings: list[Finding]) -> None:
    out = console()
    for finding in findings:
        out.print(f"{finding.status:5}", style=_COLOURS[finding.status], end="")
        out.print(f"{finding.check:16} {finding.detail}")
        if finding.mend:
            out.print(f"     {'':16} mend: {finding.mend}", style="bold")
