"""The short way for requests that name a bare model: past the routes, which take longer than passing on does."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import orjson
from fastapi import Response
from pydantic import ValidationError

from ragstead.errors import RagsteadError
from ragstead.wire import ChatBody
from ragstead_gateway.facade import BareModel
from ragstead_gateway.relaying import PassedOn, RelayCounter, refuse_unable_model
from ragstead_serving.errors import error_response

PATH = "/v1/chat/completions"


class BareModels:
    """Passes on what names a bare model and is as it should be; a `ShortWay`.

    Args:
        models: The models, by name.
        counter: Books what is passed on.
    """

    def __init__(self, models: Mapping[str, BareModel], counter: RelayCounter) -> None:
        self._models = models
        self._counter = counter

    def __call__(self, body: bytes) -> Response | None:
        """Return what passes the request on; None for what the usual way answers, errors among it."""
        with suppress(orjson.JSONDecodeError, ValidationError):
            sent = orjson.loads(body)
            model = self._models.get(sent["model"]) if isinstance(sent, dict) and _is_name(sent.get("model")) else None
            if model is not None:
                asked = ChatBody.model_validate(sent)
                try:
                    refuse_unable_model(asked, model.capabilities)
                except RagsteadError as error:
                    return error_response(error)
                return PassedOn(model, asked, sent, self._counter)
        return None


def _is_name(value: object) -> bool:
    return isinstance(value, str)
