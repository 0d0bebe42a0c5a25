"""One trace for each search that is no part of an answer."""

from __future__ import annotations

from ragstead.pipelines.live_release import Retriever
from ragstead.pipelines.retrieve import SearchRequest, SearchResult
from ragstead.pipelines.traced.retrieval import book_search
from ragstead.ports.tracer import Kind, Tracer
from ragstead.tracing import begin_trace, ended, failed, within


class TracedDoorSearches:
    """Is a `Retriever`: begins a trace with each search and hands it over when that ends, however it does.

    Args:
        retriever: Finds.
        tracer: Takes the traces.
    """

    def __init__(self, retriever: Retriever, tracer: Tracer) -> None:
        self._retriever = retriever
        self._tracer = tracer

    async def search(self, request: SearchRequest) -> SearchResult:
        """Return what the retriever finds, and raise what it raises."""
        if not self._tracer.samples(request.trace.trace_id):
            return await self._retriever.search(request)
        root = begin_trace(request.trace, "search", Kind.RETRIEVER)
        root.input = request.query
        try:
            with within(root):
                found = await self._retriever.search(request)
            book_search(root, request, found)
            if found.refused:
                root.facts |= {"refused": True, "reason": "guard_input", "findings": " ".join(found.refused)}
        except BaseException as error:
            failed(root, error)
            raise
        finally:
            ended(root)
            self._tracer.record(root.trace)
        return found
