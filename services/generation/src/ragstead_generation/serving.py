"""What the settings and the caller say, as a server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ragstead.errors import ConfigurationError
from ragstead.model_profiles import read_profile
from ragstead.settings import Settings, resolve_secret
from ragstead_generation.command import VllmCommand, vllm_command
from ragstead_generation.process import Served, serve_until_it_ends
from ragstead_serving.host_rules import check_exposure
from ragstead_serving.server import bind


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a caller asks to be served.

    Attributes:
        profile: Its name.
        model: A folder or a hub's name in place of the profile's `model`, whose revision then counts no more.
        port: None for `deployment.generation.vllm.port`; 0 for any free one.
    """

    profile: str
    model: str | None = None
    port: int | None = None


def command_of(settings: Settings, wanted: Wanted) -> VllmCommand:
    """Return what starts the server, without asking whether anything of it is there.

    Raises:
        NotFound: If there is no such profile.
        ConfigurationError: If the profile is off.
    """
    generation = settings.deployment.generation
    port = generation.vllm.port if wanted.port is None else wanted.port
    profile = read_profile(wanted.profile, generation.profiles_dir)
    if wanted.model is not None:
        profile = profile.model_copy(update={"model": wanted.model, "revision": None})
    return vllm_command(
        profile, python=str(generation.vllm.python.absolute()), host=settings.deployment.host, port=port
    )


async def run_generation(
    settings: Settings, wanted: Wanted, *, environ: Mapping[str, str], on_ready: Callable[[str], None]
) -> int:
    """Serve a profile until the server ends; returns its exit status.

    The address is checked before the model is loaded, so a taken port costs no time.

    Args:
        settings: `deployment` says which Python, host and key.
        wanted: What is served, and on which port.
        environ: The server's environment; a key goes into it as `VLLM_API_KEY`.
        on_ready: Called with the URL when requests are answered.

    Raises:
        ConfigurationError: If the address can be reached from elsewhere and there is no `vllm.api_key`, if the port is
            taken, or if a reference leads nowhere.
        NotFound: If there is no such profile.
        Unavailable: If the environment of vLLM is not there, or the server does not answer in time.
    """
    vllm, host = settings.deployment.generation.vllm, settings.deployment.host
    keys = [resolve_secret(vllm.api_key, environ)] if vllm.api_key else []
    if not keys and "VLLM_API_KEY" in environ:
        raise ConfigurationError("VLLM_API_KEY is set; name it as deployment.generation.vllm.api_key: env:VLLM_API_KEY")
    check_exposure(host, keys)
    listener = bind(host, vllm.port if wanted.port is None else wanted.port)
    listener.socket.close()  # vLLM binds it itself
    command = command_of(settings, Wanted(wanted.profile, wanted.model, listener.port))
    secret = {"VLLM_API_KEY": keys[0]} if keys else {}
    served = Served(command, listener.url, {**environ, **secret}, vllm.ready_s)
    return await serve_until_it_ends(served, on_ready=lambda: on_ready(listener.url))
