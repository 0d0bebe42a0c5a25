"""The embedder suite over the fake."""

from ragstead.ports.embedder import Embedder
from ragstead.testing.contracts import EmbedderContract
from ragstead.testing.fakes import HashEmbedder


class TestHashEmbedder(EmbedderContract):
    def embedder(self) -> Embedder:
        return HashEmbedder()
