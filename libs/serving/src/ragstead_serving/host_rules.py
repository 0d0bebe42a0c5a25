"""Loopback is no boundary: who may be asked for by name, whose pages may ask, and what may be bound without a key.

A page on any site can make a visitor's browser call 127.0.0.1, and by rebinding its own name to 127.0.0.1 (DNS
rebinding) even read the answers. Both show in headers that a page can't forge: `Host` and `Origin`.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from ragstead.errors import ConfigurationError, Forbidden
from ragstead_serving.errors import error_response


class HostRules:
    """Refuses a foreign `Host` or `Origin` with 403.

    Args:
        app: What the request is passed on to.
        hosts: Names, without port, that `Host` may bear; `*` allows any.
        origins: Origins that may call, besides the one that the request's own `Host` makes.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str], origins: Iterable[str]) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)
        self._origins = frozenset(origin.lower().rstrip("/") for origin in origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "http":
            refusal = self._refusal(Headers(scope=scope))
            if refusal is not None:
                await error_response(refusal)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refusal(self, headers: Headers) -> Forbidden | None:
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1 or not self._knows(hosts[0]):
            return Forbidden(
                f"this server is not {', '.join(hosts) or 'nameless'!r:.120}; see deployment.allowed_hosts"
            )
        for origin in origins:
            if not self._admits(origin.lower(), hosts[0].lower()):
                return Forbidden(f"pages of {origin!r:.120} may not call; see deployment.allowed_origins")
        return None

    def _knows(self, host: str) -> bool:
        return "*" in self._hosts or host_name(host) in self._hosts

    def _admits(self, origin: str, host: str) -> bool:
        return origin in (f"http://{host}", f"https://{host}") or origin in self._origins


def host_name(host: str) -> str:
    """Return the name in a `Host` header, in lower case without its port; IPv6 keeps its brackets."""
    host = host.lower()
    if host.startswith("["):
        name, bracket, rest = host.partition("]")
        return name + bracket if not rest or (rest[0] == ":" and rest[1:].isdecimal()) else host
    name, colon, port = host.partition(":")
    return name if not colon or port.isdecimal() else host


def check_exposure(host: str, api_keys: Iterable[str]) -> None:
    """Refuse an address that others can reach while no API key is configured.

    Args:
        host: The address or name to bind.
        api_keys: Those configured.

    Raises:
        ConfigurationError: If the address is not loopback and there is no key, or if the name does not resolve.
    """
    if not tuple(api_keys) and not _is_loopback(host):
        raise ConfigurationError(
            f"host {host!r} can be reached from other machines, and no API key is configured; "
            "set deployment.api_keys, or bind 127.0.0.1",
            param="deployment.host",
        )


def _is_loopback(host: str) -> bool:
    if not host:
        return False
    try:
        found = socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM)
    except OSError as exc:
        raise ConfigurationError(
            f"host {host!r} is no address of this machine: {exc}", param="deployment.host"
        ) from exc
    return all(ipaddress.ip_address(str(address[0]).split("%")[0]).is_loopback for *_, address in found)
