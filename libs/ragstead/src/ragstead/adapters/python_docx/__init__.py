"""Reads DOCX by python-docx."""

from ragstead.adapters.python_docx.loader import DocxLoader

__all__ = ["DocxLoader"]
