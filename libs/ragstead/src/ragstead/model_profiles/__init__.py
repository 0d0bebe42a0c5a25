"""How language models are served: one YAML file a model, turned into the command line of its server."""

from ragstead.model_profiles.profile import ModelProfile, profile_names, read_profile

__all__ = ["ModelProfile", "profile_names", "read_profile"]
