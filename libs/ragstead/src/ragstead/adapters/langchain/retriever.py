"""Our search as a LangChain retriever."""

from __future__ import annotations

from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import Field, SecretStr

from ragstead.adapters.langchain.api import Json, RagsteadApi
from ragstead.model import Strategy


class RagsteadRetriever(BaseRetriever):
    """Finds the chunks of a collection that are relevant to a query, best first, on a running platform.

    Each document's `metadata` has `document_id`, `file_id`, `chunk_id`, `filename`, `page`, `heading_path`, `start`,
    `end` (offsets in the document's extracted text) and `score`, the probability that the chunk is relevant.
    What goes wrong is an error of `ragstead.errors`.
    """

    base_url: str = "http://127.0.0.1:8080/v1"
    """Up to the version, as OpenAI's clients take it."""
    api_key: SecretStr | None = None
    collection: str = "default"
    k: int = Field(default=10, ge=1, le=1000)
    """Chunks wanted."""
    strategy: Strategy | None = None
    """`hybrid`, `prefilter`, `dense` or `lexical`; None: the platform's."""
    filter: dict[str, Any] | None = None
    """Which documents may be found, in OpenAI's form: `{"type": "eq", "key": "year", "value": 2024}`."""
    timeout_s: float = Field(default=30, gt=0)

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        del run_manager
        return _documents(self._api().post("/search", self._body(query)))

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun
    ) -> list[Document]:
        del run_manager
        return _documents(await self._api().apost("/search", self._body(query)))

    def _api(self) -> RagsteadApi:
        key = self.api_key.get_secret_value() if self.api_key else None
        return RagsteadApi(self.base_url, key, self.timeout_s)

    def _body(self, query: str) -> Json:
        body: Json = {"query": query, "collection": self.collection, "k": self.k}
        if self.strategy is not None:
            body["strategy"] = self.strategy.value
        return body | ({"filter": self.filter} if self.filter is not None else {})


def _documents(found: Json) -> list[Document]:
    return [
        Document(
            id=hit["chunk_id"],
            page_content=hit["text"],
            metadata={name: value for name, value in hit.items() if name != "text"},
        )
        for hit in found["hits"]
    ]
