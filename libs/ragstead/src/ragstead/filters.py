"""OpenAI's filter objects, parsed once and strictly: what does not parse is refused and never widens a search."""

from __future__ import annotations
