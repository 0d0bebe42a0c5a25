"""The HTTP API over dictionaries, for the command line's tests: texts are found by the words they share."""

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from ragstead.adapters.directory_lock import DirectoryLock

KEY = "sesame"


class FakeApi:
    """Keeps documents by collection; `busy` requests are answered 429 first."""

    def __init__(self) -> None:
        self.stores: dict[str, dict[str, dict]] = {}
        self.busy = 0
        self.key: str | None = None
        self.most_at_once = self.at_once = 0
        store = "/v1/vector_stores/{store}"
        document = store + "/documents/{document_id:path}"
        self.app = Starlette(
            routes=[
                Route("/health/live", self.live),
                Route("/v1/models", self.models),
                Route("/v1/search", self.search, methods=["POST"]),
                Route("/v1/chat/completions", self.chat, methods=["POST"]),
                Route(store, self.store),
                Route(store + "/documents", self.list_all, methods=["GET"]),
                Route(store + "/documents", self.add, methods=["POST"]),
                Route(document, self.put, methods=["PUT"]),
                Route(document, self.show, methods=["GET"]),
                Route(document, self.delete, methods=["DELETE"]),
            ]
        )

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http" and scope["path"] != "/health/live":
            headers = dict(scope["headers"])
            if self.key and headers.get(b"authorization") != f"Bearer {self.key}".encode():
                return await error(401, "an API key is asked for")(scope, receive, send)
            if self.busy:
                self.busy -= 1
                busy = error(429, "full")
                busy.headers["retry-after"] = "0.05"
                return await busy(scope, receive, send)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            return await self.app(scope, receive, send)
        finally:
            self.at_once -= 1

    async def live(self, request: Request):
        return JSONResponse({"status": "ok"})

    async def models(self, request: Request):
        return JSONResponse({"object": "list", "data": [{"id": "ragstead", "capabilities": {"stream": True}}]})

    async def store(self, request: Request):
        store = self.stores.get(request.path_params["store"])
        if store is None:
            return error(404, f"no collection named {request.path_params['store']!r}")
        waiting = sum(document["state"] == "queued" for document in store.values())
        for document in store.values():  # one look later it is done
            settle(document)
        return JSONResponse({"file_counts": {"in_progress": waiting, "total": len(store)}})

    async def list_all(self, request: Request):
        store = self.stores.get(request.path_params["store"])
        if store is None:
            return error(404, f"no collection named {request.path_params['store']!r}")
        after, limit = request.query_params.get("after", ""), min(10, int(request.query_params["limit"]))
        ids = [document_id for document_id in sorted(store) if document_id > after]
        page = [view(store[document_id]) for document_id in ids[:limit]]
        last = ids[:limit][-1] if page else None
        return JSONResponse({"documents": page, "has_more": len(ids) > limit, "last_id": last})

    async def add(self, request: Request):
        documents = (await request.json())["documents"]
        if any("poison" in document["text"] for document in documents):
            return error(400, "a text is off")
        submitted = [self.take(request, d["document_id"], d["text"], d) for d in documents]
        return JSONResponse({"submitted": submitted}, 202)

    async def put(self, request: Request):
        data = await request.body()
        given = {
            "filename": request.query_params["filename"],
            "attributes": json.loads(request.query_params.get("attributes", "{}")),
        }
        taken = self.take(request, request.path_params["document_id"], data.decode("utf-8", "replace"), given)
        return JSONResponse(taken, 202)

    def take(self, request: Request, document_id: str, text: str, given: dict) -> dict:
        store = self.stores.setdefault(request.path_params["store"], {})
        same = document_id in store and store[document_id]["text"] == text
        if not same:
            store[document_id] = {
                "document_id": document_id,
                "file_id": f"file-{document_id}",
                "filename": given.get("filename", f"{document_id}.txt"),
                "title": given.get("title", ""),
                "state": "queued",
                "reason": None,
                "pages": None,
                "chunks": 0,
                "attributes": given["attributes"],
                "text": text,
            }
        outcome = "unchanged" if same else "queued"
        return {"document_id": document_id, "file_id": f"file-{document_id}", "outcome": outcome}

    async def show(self, request: Request):
        document = self.stores.get(request.path_params["store"], {}).get(request.path_params["document_id"])
        if document is None:
            return error(404, f"no document named {request.path_params['document_id']!r}")
        return JSONResponse(document if request.query_params.get("text") else view(document))

    async def delete(self, request: Request):
        found = self.stores.get(request.path_params["store"], {}).pop(request.path_params["document_id"], None)
        return JSONResponse({"deleted": True}) if found else error(404, "no such document")

    async def search(self, request: Request):
        body = await request.json()
        await asyncio.sleep(0.02)
        if not body["query"].strip():
            return error(400, "query is empty")
        if body["collection"] not in self.stores:
            return error(404, f"no collection named {body['collection']!r}; ingest something into it")
        return JSONResponse({"hits": self.hits(body), "timings_ms": {"total": 1.0}, "collection_version": 1})

    def hits(self, body: dict) -> list[dict]:
        words = set(body["query"].lower().split())
        found = []
        for document in self.stores[body["collection"]].values():
            for number, line in enumerate(document["text"].splitlines()):
                shared = len(words & set(line.lower().split()))
                if shared:
                    found.append((-shared / (1 + len(words)), document["document_id"], number, line))
        return [
            {"document_id": d, "file_id": f"file-{d}", "chunk_id": f"{d}:1:{n}", "filename": f"{d}.txt"}
            | {"page": None, "heading_path": [], "text": line, "start": 0, "end": len(line)}
            | {"score": -score, "debug": None}
            for score, d, n, line in sorted(found)[: body["k"]]
        ]

    async def chat(self, request: Request):
        body = await request.json()
        question = body["messages"][0]["content"]
        if not question.strip():
            return error(400, "the question is empty")
        if "crash" in question:
            return JSONResponse("what", 500)
        hits = self.hits({"query": question, "k": 1, "collection": body["rag"]["collection"]})
        rag = {"refused": not hits, "reason": None if hits else "no_evidence", "p_supported": 0.9 if hits else 0.0}
        rag |= {"release": "r-1", "collection_version": 1, "trace_id": "t", "cache": "off", "model": "extractive"}
        rag |= {"cost_usd": 0.0, "dropped_citations": 0, "timings_ms": {"total": 1.0}, "debug": None}
        content = f"{hits[0]['text']} [1]." if hits else "Nothing was found."
        message = {"role": "assistant", "content": content, "annotations": []}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        citations = [citation(hits[0])] if hits else []
        answer = {"id": "chatcmpl-1", "choices": [{"message": message}], "usage": usage}
        return JSONResponse({**answer, "citations": citations, "rag": rag})


@contextlib.contextmanager
def served(fake: FakeApi, data_dir: Path) -> Iterator[str]:
    """Serve the fake from a thread, as the owner of the data directory."""
    lock = DirectoryLock(data_dir)
    lock.acquire()
    config = uvicorn.Config(fake, port=0, log_config=None, lifespan="off", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        lock.publish(url)
        yield url
    finally:
        server.should_exit = True
        thread.join()
        lock.release()


def citation(hit: dict) -> dict:
    quote = {"quote": hit["text"], "quote_start": 0, "quote_end": len(hit["text"])}
    names = {name: hit[name] for name in ("document_id", "file_id", "chunk_id", "filename", "page", "score")}
    return {"n": 1, "start": 0, "end": 3, "verdict": "supported", **names, **quote}


def settle(document: dict) -> None:
    if document["state"] == "queued":
        text = document["text"]
        document["state"] = "failed" if "\x00" in text else "indexed" if text.strip() else "empty"
        document["reason"] = "it is damaged" if document["state"] == "failed" else None
        document["chunks"] = len(text.splitlines()) if document["state"] == "indexed" else 0


def view(document: dict) -> dict:
    return {name: value for name, value in document.items() if name != "text"}


def error(status: int, message: str) -> JSONResponse:
    return JSONResponse({"error": {"message": message, "type": "x", "param": None, "code": None}}, status)
