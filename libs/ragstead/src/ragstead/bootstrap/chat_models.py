"""Language models as the settings describe them, what is left out taken from the profile that each was served with."""

from __future__ import annotations

from collections.abc import Mapping

from ragstead.errors import ConfigurationError, NotFound
from ragstead.model_profiles import ModelProfile, read_profile
from ragstead.settings import ChatModelSettings, Settings


def chat_models(settings: Settings) -> Mapping[str, ChatModelSettings]:
    """Return the models by their names here.

    Raises:
        ConfigurationError: If a profile that one names is not there or off.
    """
    generation = settings.deployment.generation
    described = {}
    for name, given in generation.models.items():
        if given.profile is None:
            described[name] = given
            continue
        try:
            profile = read_profile(given.profile, generation.profiles_dir)
        except NotFound as error:
            raise ConfigurationError(str(error), param=f"deployment.generation.models.{name}.profile") from error
        described[name] = completed(given, profile)
    return described


def completed(given: ChatModelSettings, profile: ModelProfile) -> ChatModelSettings:
    """Return the settings with what their file leaves out taken from the profile."""
    known = {
        "model": profile.served_name,
        "api": profile.api,
        "context_tokens": profile.max_length,
        "can": profile.can,
        "counts_tokens": True,
    }
    return given.model_copy(update={name: value for name, value in known.items() if name not in given.model_fields_set})
