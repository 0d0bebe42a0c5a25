"""Embedding models on ONNX Runtime, without torch: BERT and MPNet encoders, all-MiniLM-L6-v2 among them.

`export_graphs` (in `.export`, apart because importing `onnx` takes time that a question should not pay) builds the
graphs once from a checkpoint's weights and proves them; `OnnxEncoder` runs one; `WordPieces` counts tokens as it does.
"""

from ragstead.adapters.onnx_runtime.native_switches import VARIABLE as TELEMETRY_VARIABLE
from ragstead.adapters.onnx_runtime.record import GraphRecord, is_built, read_record
from ragstead.adapters.onnx_runtime.session import OnnxEncoder, Precision
from ragstead.adapters.onnx_runtime.word_pieces import WordPieces

__all__ = ["TELEMETRY_VARIABLE", "GraphRecord", "OnnxEncoder", "Precision", "WordPieces", "is_built", "read_record"]
