"""The generation service: a vLLM in an environment of its own, started from a profile and watched."""
