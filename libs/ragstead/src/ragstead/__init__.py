"""Ragstead: documents in, answers with checked evidence out."""

__version__ = "0.1.0"
