"""all-MiniLM-L6-v2 on ONNX Runtime, without torch and without a model hub.

`export_minilm` (in `.export`, apart because importing `onnx` takes time that a question should not pay)
builds the graph once from the weights in the installed package; `OnnxMiniLm` runs it; `WordPieces` counts
tokens as it does.
"""

from ragstead.adapters.onnx_minilm.session import OnnxMiniLm
from ragstead.adapters.onnx_minilm.word_pieces import WordPieces

__all__ = ["OnnxMiniLm", "WordPieces"]
