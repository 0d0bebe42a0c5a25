"""The champion as MLflow's REST API tells it: two requests over a connection that stays open, and no import of MLflow.

MLflow's own client takes two seconds and 100 MB to import and blocks; a gateway asks every other second.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from ragstead.adapters.mlflow.names import MANIFEST, MODEL, RELEASE, provenance_in
from ragstead.errors import NotFound, Unavailable
from ragstead.ports.registry import CHAMPION, Release
from ragstead.releases import read_manifest

_API = "/api/2.0/mlflow"
_NOT_THERE = "RESOURCE_DOES_NOT_EXIST"
_NO_ALIAS = "INVALID_PARAMETER_VALUE"


class MlflowChampions:
    """Is `Champions` on a tracking server.

    Args:
        url: Of the server.
        token: Bearer token that it asks for, or None.
        timeout_s: For one request.
    """

    def __init__(self, url: str, token: str | None = None, timeout_s: float = 10.0) -> None:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self._url = url.rstrip("/")
        # Loopback or the user's own server: no proxy of the environment's.
        self._client = httpx.AsyncClient(base_url=self._url, headers=headers, timeout=timeout_s, trust_env=False)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def champion(self) -> str | None:
        """Return the id of the champion; None where there is none."""
        answer = await self._get(f"{_API}/registered-models/alias", {"name": MODEL, "alias": CHAMPION})
        if answer.status_code in (400, 404) and _code(answer) in (_NOT_THERE, _NO_ALIAS):
            return None
        version = self._object(answer).get("model_version", {})
        release_id = _tags(version).get(RELEASE)
        if release_id is None:
            raise Unavailable("mlflow", f"version {version.get('version')} of {MODEL} is no release of ours")
        return release_id

    async def release(self, release_id: str) -> Release:
        """Return a release with its manifest."""
        wanted = f"name = '{MODEL}' AND tags.`{RELEASE}` = '{_checked(release_id)}'"
        found = self._object(await self._get(f"{_API}/model-versions/search", {"filter": wanted}))
        versions = found.get("model_versions", [])
        if not versions:
            raise NotFound("release", release_id[:80], "`ragstead release list` shows those there are")
        version = versions[0]
        params = {"name": MODEL, "version": str(version["version"]), "path": MANIFEST}
        answer = await self._get("/model-versions/get-artifact", params)
        if not answer.is_success:
            raise self._trouble(f"answered {answer.status_code} for the manifest of release {release_id}")
        return read_manifest(answer.text, release_id, provenance_in(_tags(version)))

    async def _get(self, path: str, params: Mapping[str, str]) -> httpx.Response:
        try:
            return await self._client.get(path, params=dict(params))
        except httpx.HTTPError as error:
            raise self._trouble(f"does not answer: {str(error) or type(error).__name__}") from error

    def _object(self, answer: httpx.Response) -> dict[str, Any]:
        try:
            document = answer.json()
        except ValueError as error:
            raise self._trouble(f"answered {answer.status_code} without JSON") from error
        if not answer.is_success or not isinstance(document, dict):
            raise self._trouble(f"answered {answer.status_code}: {_code(answer)}")
        return document

    def _trouble(self, what: str) -> Unavailable:
        return Unavailable("mlflow", f"MLflow at {self._url} {what}")


def _checked(release_id: str) -> str:
    """Return the id where it can stand in a filter."""
    if not release_id.replace("-", "").isalnum():
        raise NotFound("release", release_id[:80], "`ragstead release list` shows those there are")
    return release_id


def _code(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["error_code"])
    except (ValueError, KeyError, TypeError):
        return ""


def _tags(version: Mapping[str, Any]) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in version.get("tags", [])}


async def is_healthy(url: str, timeout_s: float = 2.0) -> bool:
    """Return whether an MLflow server answers at the address."""
    async with httpx.AsyncClient(timeout=timeout_s, trust_env=False) as client:
        try:
            return (await client.get(f"{url.rstrip('/')}/health")).is_success
        except httpx.HTTPError:
            return False
