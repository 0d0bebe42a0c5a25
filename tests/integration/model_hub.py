"""A model hub on loopback: folders served as the hub's own API does, and every request remembered."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit


class ModelHub:
    """What is served, and what was asked for.

    Args:
        repo: `owner/name` of the only repository.
        revision: Its only commit.
        folder: Its files.
    """

    def __init__(self, repo: str, revision: str, folder: Path) -> None:
        self.repo, self.revision, self.folder = repo, revision, folder
        self.requests: list[str] = []
        self.url = ""

    def found(self, path: str) -> bytes | None:
        """The body for a path; None for a 404."""
        if path == f"/api/models/{self.repo}/tree/{self.revision}":
            files = [file for file in self.folder.rglob("*") if file.is_file()]
            listed = [
                {
                    "type": "file",
                    "path": str(file.relative_to(self.folder)),
                    "size": file.stat().st_size,
                    "oid": hashlib.sha1(file.read_bytes()).hexdigest(),
                }
                for file in files
            ]
            return json.dumps(listed).encode()
        if path == f"/api/models/{self.repo}/revision/{self.revision}":
            names = [{"rfilename": str(f.relative_to(self.folder))} for f in self.folder.rglob("*") if f.is_file()]
            return json.dumps({"id": self.repo, "sha": self.revision, "siblings": names}).encode()
        file = self.folder / path.removeprefix(f"/{self.repo}/resolve/{self.revision}/")
        return file.read_bytes() if path.startswith(f"/{self.repo}/resolve/") and file.is_file() else None


@contextmanager
def model_hub(repo: str, revision: str, folder: Path) -> Iterator[ModelHub]:
    """Serve `folder` as a repository until the block ends."""
    hub = ModelHub(repo, revision, folder)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            hub.requests.append(f"{self.command} {self.path}")
            body = hub.found(urlsplit(self.path).path)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.send_header("Content-Type", "application/json")
            self.send_header("ETag", f'"{hashlib.sha1(body or b"").hexdigest()}"')
            self.send_header("X-Repo-Commit", hub.revision)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body or b"")

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
