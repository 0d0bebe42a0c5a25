"""Documents to chunks: pieces along the document's structure that fit the embedder, with exact offsets."""

from ragstead.chunking.chunker import chunk, indexed_title

__all__ = ["chunk", "indexed_title"]
