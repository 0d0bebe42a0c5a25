"""Models by sentence-transformers: the reference of the ONNX graph, the way to other models, and cross-encoders.

Needs torch, which is imported when a model is opened and not before.
"""

from ragstead.adapters.sentence_transformers.cross_encoder import CrossEncoderReranker
from ragstead.adapters.sentence_transformers.encoder import SentenceTransformersEncoder

__all__ = ["CrossEncoderReranker", "SentenceTransformersEncoder"]
