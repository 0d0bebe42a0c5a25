"""What a service's shell can be told; each service fills it from its settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ragstead.errors import ConfigurationError
from ragstead.settings import DeploymentSettings

LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "[::1]")


def _nothing_is_an_upload(method: str, path: str) -> bool:  # noqa: ARG001  (the shape of `is_upload`)
    return False


@dataclass(frozen=True, slots=True)
class ServiceOptions:
    """Limits and doors of one service.

    Attributes:
        api_keys: Any of them opens the service; empty where none is asked for.
        open_paths: Paths that need no key.
        allowed_hosts: Names, without port, that a `Host` header may bear; `*` allows any.
        allowed_origins: Origins such as `https://chat.example.org` whose pages may call, besides the service's own.
        max_body_bytes: A longer request body is refused with 413.
        max_upload_bytes: The same for requests that `is_upload` tells.
        is_upload: True for a method and path whose body is a file.
        max_in_flight: Requests worked on at once; one more is refused with 429.
    """

    api_keys: tuple[str, ...] = ()
    open_paths: frozenset[str] = frozenset({"/health/live", "/health/ready"})
    allowed_hosts: tuple[str, ...] = LOOPBACK_HOSTS
    allowed_origins: tuple[str, ...] = ()
    max_body_bytes: int = 16 * 1024 * 1024
    max_upload_bytes: int = 64 * 1024 * 1024
    is_upload: Callable[[str, str], bool] = _nothing_is_an_upload
    max_in_flight: int = 256

    def __post_init__(self) -> None:
        if any(not key.strip() for key in self.api_keys):
            raise ConfigurationError("an API key is empty; give it a value, or take it out of deployment.api_keys")
        if self.max_in_flight < 1:
            raise ConfigurationError(f"max_in_flight is {self.max_in_flight} and must be at least 1")


def service_options(deployment: DeploymentSettings, api_keys: Sequence[str]) -> ServiceOptions:
    """Return what every service takes from the settings.

    Args:
        deployment: Has the limits and the host rules.
        api_keys: Any of them opens the service.

    Raises:
        ConfigurationError: If a key is empty.
    """
    return ServiceOptions(
        api_keys=tuple(api_keys),
        allowed_hosts=deployment.allowed_hosts,
        allowed_origins=deployment.allowed_origins,
        max_body_bytes=deployment.max_body_bytes,
        max_in_flight=deployment.max_waiting,
    )
