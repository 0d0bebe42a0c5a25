"""The OpenAPI document, made to say what the service really does: one shape of errors, and every status."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from ragstead.wire import ErrorBody

_MEANINGS = {
    400: "The request can't be used; `param` names the field.",
    401: "API keys are configured, and none of them was sent.",
    403: "A foreign `Host` or `Origin`.",
    404: "What is named is not there.",
    405: "The path is there, and not for this method.",
    409: "The present state does not allow it, such as a name that is taken.",
    413: "The body is over its limit.",
    429: "Too much at once; come back after `Retry-After` seconds.",
    500: "Something failed inside; the log has the cause under the request id.",
    503: "A part that is needed is down, or a queue is full; come back after `Retry-After` seconds.",
}
_ANYWHERE = (400, 401, 403, 413, 429, 500, 503)
_METHODS = frozenset({"get", "put", "post", "delete", "patch", "head", "options"})
_SCHEMAS = "#/components/schemas/{model}"
Responses = dict[int | str, dict[str, Any]]


def errors(*statuses: int) -> Responses:
    """Return the `responses` of a route: these statuses, and those that can meet any request."""
    found = sorted({*_ANYWHERE, *statuses})
    content = {"application/json": {"schema": {"$ref": _SCHEMAS.format(model="ErrorBody")}}}
    return {status: {"description": _MEANINGS[status], "content": content} for status in found}


def described(description: str, media_type: str) -> Responses:
    """Return the `responses` of a route whose success is no JSON."""
    schema = {"type": "string"} if media_type.startswith("text/") else {"type": "string", "format": "binary"}
    return {200: {"description": description, "content": {media_type: {"schema": schema}}}}


def install_openapi(app: FastAPI, *, with_keys: bool, open_paths: Iterable[str]) -> None:
    """Make `app.openapi` leave out FastAPI's own 422, which never occurs, and name the bearer scheme with keys."""
    exempt = frozenset(open_paths)

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            _drop_422(made)
            _add_error_schema(made)
            if with_keys:
                _ask_for_key(made, exempt)
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _drop_422(document: dict[str, Any]) -> None:
    for _, operation in _operations(document):
        operation["responses"].pop("422", None)
    schemas = document.get("components", {}).get("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)


def _add_error_schema(document: dict[str, Any]) -> None:
    # by reference and not by `model`: FastAPI would compile it anew for every status of every route
    schema = ErrorBody.model_json_schema(ref_template=_SCHEMAS)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas.update(schema.pop("$defs"), ErrorBody=schema)


def _ask_for_key(document: dict[str, Any], exempt: frozenset[str]) -> None:
    document.setdefault("components", {})["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
    for path, operation in _operations(document):
        if path not in exempt:
            operation["security"] = [{"bearer": []}]


def _operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    paths: dict[str, dict[str, Any]] = document["paths"]
    return [(path, item[method]) for path, item in paths.items() for method in item if method in _METHODS]
