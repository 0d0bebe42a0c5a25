"""The default generator: the evidence's own sentences, quoted, with no model behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from ragstead.ports.embedder import TokenCounter
from ragstead.ports.generator import EvidenceSentence, GenerationRequest, Piece

_ENDS = ".!?;:,。！？"


class ExtractiveGenerator:
    """Is the `Generator` port: writes the sentences that were found to answer, each with its mark.

    It draws no tokens, so of the sampling it heeds `max_tokens` (the sentence it would pass is cut at a word) and
    `stop` alone.

    Args:
        counter: Counts tokens for usage and for `max_tokens`.
    """

    name = "extractive"

    def __init__(self, counter: TokenCounter) -> None:
        self._counter = counter

    async def generate(self, request: GenerationRequest) -> AsyncIterator[Piece]:
        """Yield a sentence a piece, and last an empty piece with the usage."""
        left = request.sampling.max_tokens
        spent = 0
        finish: str = "stop"
        for words in _sentences(request):
            cut, tokens = self._cut(words, left)
            spent += tokens
            if cut:
                yield Piece(cut, ends_sentence=True)
            if cut != words:
                finish = "length"
                break
            left = None if left is None else left - tokens
        prompt = sum(self._counter.counts([request.question, *(h.stored.chunk.text for h in request.passages)]))
        yield Piece("", False, "length" if finish == "length" else "stop", prompt, spent)

    def _cut(self, words: str, left: int | None) -> tuple[str, int]:
        """Return as many whole words as `left` tokens allow, with the mark, and their number of tokens."""
        tokens = self._counter.counts([words])[0]
        if left is None or tokens <= left:
            return words, tokens
        body, _, mark = words.rpartition(" [")
        parts = body.split(" ")
        low, high = 0, len(parts)
        while low < high:
            middle = (low + high + 1) // 2
            if self._counter.counts([" ".join(parts[:middle])])[0] <= left:
                low = middle
            else:
                high = middle - 1
        short = " ".join(parts[:low])
        return (f"{short} [{mark}" if short else ""), self._counter.counts([short])[0]


def _sentences(request: GenerationRequest) -> Iterator[str]:
    for number, sentence in enumerate(request.sentences):
        words = _words(request, sentence)
        stopped = min((at for at in (words.find(s) for s in request.sampling.stop) if at >= 0), default=None)
        if stopped is not None:
            words = words[:stopped].rstrip()
        if words:
            yield (" " if number else "") + _marked(words, sentence.passage)
        if stopped is not None:
            return


def _words(request: GenerationRequest, sentence: EvidenceSentence) -> str:
    text = request.passages[sentence.passage - 1].stored.chunk.text
    return " ".join(text[sentence.start : sentence.end].split())


def _marked(words: str, passage: int) -> str:
    """Set the mark before the closing punctuation, as people do."""
    body = words.rstrip(_ENDS) or words
    return f"{body} [{passage}]{words[len(body) :] or '.'}"
