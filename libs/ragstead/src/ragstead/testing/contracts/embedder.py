"""The suite of `Embedder`."""

from __future__ import annotations

import asyncio

import numpy as np
from numpy.typing import NDArray

from ragstead.ports.embedder import Embedder


class EmbedderContract:
    """What any `Embedder` does; subclasses define `embedder`."""

    def embedder(self) -> Embedder:
        """Return the embedder under test."""
        raise AssertionError("a suite says what it tests")

    def embed(self, *texts: str) -> NDArray[np.float32]:
        """Embed `texts` as passages."""
        return asyncio.run(self.embedder().embed(texts, "passage"))

    def test_rows_are_unit_vectors_of_the_stated_width(self) -> None:
        vectors = self.embed("one text", "another, longer text", "😀", "")
        assert vectors.shape == (4, self.embedder().dim)
        assert vectors.dtype == np.float32
        assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)

    def test_no_texts_give_no_rows(self) -> None:
        assert self.embed().shape == (0, self.embedder().dim)

    def test_rows_stand_in_the_order_of_the_texts(self) -> None:
        texts = [
            "rain in spring",
            "a very long text about nothing " * 20,
            "tax law",
            "the cat sat on the mat",
        ]
        alone = np.concatenate([self.embed(text) for text in texts])
        assert np.argmax(self.embed(*texts) @ alone.T, axis=1).tolist() == [0, 1, 2, 3]

    def test_the_same_text_gives_the_same_vector_in_any_company(self) -> None:
        alone = self.embed("the cat sat on the mat")[0]
        assert float(self.embed("the cat sat on the mat", "x " * 300)[0] @ alone) > 0.99

    def test_text_over_the_length_is_cut_at_its_end(self) -> None:
        long = "alpha beta gamma delta " * 400
        assert float(self.embed(long)[0] @ self.embed(long + "something else entirely")[0]) > 0.999

    def test_both_roles_are_accepted(self) -> None:
        assert asyncio.run(self.embedder().embed(["a question"], "query")).shape == (1, self.embedder().dim)

    def test_identity_names_the_model(self) -> None:
        assert self.embedder().identity
