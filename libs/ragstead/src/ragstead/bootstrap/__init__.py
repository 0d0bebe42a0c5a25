"""The composition root: the only importer of adapters, and the last reader of settings."""
