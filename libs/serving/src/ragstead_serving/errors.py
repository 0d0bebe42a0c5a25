"""The one table from errors to HTTP statuses, and the shape of every response that is not a success.

The body is OpenAI's: `{"error": {"message", "type", "param", "code"}}`.
"""

from __future__ import annotations

import http
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from ragstead.errors import (
    ConfigurationError,
    Conflict,
    Forbidden,
    IndexMismatch,
    InvalidRequest,
    NotFound,
    Overloaded,
    RagsteadError,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UnreadableDocument,
)
from ragstead.wire import ErrorBody, ErrorDetail
from ragstead_serving.disconnects import ClientGone
from ragstead_serving.responses import JsonResponse
from ragstead_serving.validation import invalid_request

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: what a class of errors is over HTTP."""

    status: int
    type: str
    code: str | None


ERROR_TABLE: Mapping[type[RagsteadError], Row] = {
    ConfigurationError: Row(500, "server_error", "configuration_error"),
    InvalidRequest: Row(400, "invalid_request_error", None),
    UnreadableDocument: Row(400, "invalid_request_error", "unreadable_document"),
    Unauthenticated: Row(401, "invalid_request_error", "invalid_api_key"),
    Forbidden: Row(403, "permission_error", "forbidden"),
    NotFound: Row(404, "invalid_request_error", "not_found"),
    Conflict: Row(409, "invalid_request_error", "conflict"),
    TooLarge: Row(413, "invalid_request_error", "too_large"),
    Overloaded: Row(429, "rate_limit_error", "rate_limit_exceeded"),
    IndexMismatch: Row(500, "server_error", "index_mismatch"),
    Unavailable: Row(503, "server_error", "service_unavailable"),
    RagsteadError: Row(500, "server_error", "internal_error"),
}
"""By class; an error takes the row of its nearest ancestor."""

_BY_HTTP_STATUS: Mapping[int, Row] = {
    400: Row(400, "invalid_request_error", None),
    404: Row(404, "invalid_request_error", "unknown_url"),
    405: Row(405, "invalid_request_error", "method_not_supported"),
    413: ERROR_TABLE[TooLarge],
}


def row_of(error: RagsteadError) -> Row:
    """Return the row of the error's nearest ancestor in the table."""
    return next(ERROR_TABLE[kind] for kind in type(error).__mro__ if kind in ERROR_TABLE)


def error_body(error: RagsteadError) -> ErrorBody:
    """Return the body that tells the caller of `error`."""
    row = row_of(error)
    param, code = None, row.code
    if isinstance(error, InvalidRequest):
        param, code = error.param, error.code or row.code
    elif isinstance(error, NotFound):
        code = f"{error.kind.replace(' ', '_')}_not_found"
        param = "model" if error.kind == "model" else None
    return ErrorBody(error=ErrorDetail(message=str(error), type=row.type, param=param, code=code))


def error_response(error: RagsteadError) -> Response:
    """Return the whole response, with the headers that its status asks for."""
    status = row_of(error).status
    headers: dict[str, str] = {}
    if isinstance(error, Overloaded | Unavailable):
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s)))
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = 'Bearer realm="ragstead"'
    if isinstance(error, TooLarge):
        headers["Connection"] = "close"  # what is left of the body is not read
    if status >= 500:
        _log.warning("%s: %s", type(error).__name__, error)
    return JsonResponse(error_body(error), status, headers)


def crash_body(request_id: str) -> ErrorBody:
    """Return the body of a 500 that nobody foresaw: it leaks nothing but where to look."""
    message = f"something failed inside the server; its log has the cause under request id {request_id}"
    return ErrorBody(error=ErrorDetail(message=message, type="server_error", code="internal_error"))


def install_error_table(app: FastAPI) -> None:
    """Make `app` answer every foreseen error in the one shape."""
    app.add_exception_handler(RagsteadError, _on_ragstead_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(ClientGone, _on_client_gone)


async def _on_ragstead_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, RagsteadError)
    return error_response(error)


async def _on_client_gone(_: Request, __: Exception) -> Response:
    return Response(status_code=499)  # for the metrics; nobody is left to read it


async def _on_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return error_response(invalid_request(error, request.headers.get("content-type", "")))


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    row = _BY_HTTP_STATUS.get(error.status_code, Row(error.status_code, "invalid_request_error", None))
    messages = {
        404: f"there is no {request.method} {request.url.path}; /openapi.json lists what there is",
        405: f"{request.method} is not allowed on {request.url.path}",
    }
    fallback = error.detail or http.HTTPStatus(error.status_code).phrase
    detail = ErrorDetail(message=messages.get(error.status_code, fallback), type=row.type, code=row.code)
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(_methods_of(request))
    elif error.status_code == 413:
        headers["Connection"] = "close"
    return JsonResponse(ErrorBody(error=detail), error.status_code, headers)


def _methods_of(request: Request) -> list[str]:
    """Return the methods that any route allows on the request's path; a single route knows its own alone."""
    return [
        method
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in request.app.routes)
    ]
