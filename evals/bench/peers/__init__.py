"""Other ways to serve the same embedding model, each in an environment of its own."""
