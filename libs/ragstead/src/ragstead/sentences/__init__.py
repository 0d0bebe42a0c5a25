"""Text to the units an answer may quote: sentences, list items, headings, table rows, code blocks."""

from ragstead.sentences.segmentation import Unit, UnitKind, segment, spans

__all__ = ["Unit", "UnitKind", "segment", "spans"]
