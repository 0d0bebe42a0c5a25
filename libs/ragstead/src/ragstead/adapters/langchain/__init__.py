"""Ragstead for people who come from LangChain: a retriever and a chat model over the HTTP API of a running platform.

This is the one adapter that users import, and the platform does not: LangChain is theirs here, not ours.
"""

from ragstead.adapters.langchain.chat import ChatRagstead
from ragstead.adapters.langchain.retriever import RagsteadRetriever

__all__ = ["ChatRagstead", "RagsteadRetriever"]
