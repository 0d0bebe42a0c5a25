"""The gateway: the platform over an OpenAI-compatible HTTP API."""
