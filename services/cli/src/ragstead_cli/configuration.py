"""`ragstead config`: what the configuration comes to."""

from __future__ import annotations

import re

import typer

from ragstead_cli.output import console
from ragstead_cli.verb import Invocation, verb

_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+(?=@)")


def show(invocation: Invocation) -> None:
    """Show every setting with its value, defaults included; secrets stand by reference, passwords in URLs as ***."""
    document = _redacted(invocation.settings().model_dump(mode="json"))
    assert isinstance(document, dict)

    def for_people() -> None:
        import yaml

        console().print(yaml.safe_dump(document, sort_keys=False, allow_unicode=True).rstrip())

    invocation.show(document, for_people)


def check(invocation: Invocation) -> None:
    """Check the configuration: it parses, its secrets are there, its address may be bound."""
    from ragstead.settings import resolve_secret
    from ragstead_serving.host_rules import check_exposure

    settings = invocation.settings()
    for reference in settings.deployment.api_keys:
        resolve_secret(reference, invocation.environ)
    check_exposure(settings.deployment.host, settings.deployment.api_keys)
    name = str(invocation.config) if invocation.config else "the defaults"
    invocation.show(
        {"ok": True, "config": str(invocation.config) if invocation.config else None},
        lambda: console().print(f"ok: {name}"),
    )


def register(app: typer.Typer) -> None:
    """List the verbs."""
    group = typer.Typer(help="Show and check the configuration.", rich_markup_mode=None)
    verb(group, "show", example="ragstead config show --config ragstead.yaml")(show)
    verb(group, "check", example="ragstead config check --config ragstead.yaml")(check)
    app.add_typer(group, name="config")


def _redacted(value: object) -> object:
    if isinstance(value, dict):
        return {name: _redacted(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_redacted(inner) for inner in value]
    return _CREDENTIALS.sub("***", value) if isinstance(value, str) else value
