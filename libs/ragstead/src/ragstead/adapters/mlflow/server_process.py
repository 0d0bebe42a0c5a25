"""The process of MLflow's server: `python -m ragstead.adapters.mlflow.server_process FOLDER PORT`.

It ends when its standard input does. The stores are opened, and the database is made, before the first request.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path


def main(folder: Path, port: int) -> None:
    """Serve until standard input ends, or a signal comes."""
    threading.Thread(target=_end_with_input, daemon=True).start()
    import uvicorn  # noqa: PLC0415  (seconds, in which the end of the parent is seen already)
    from mlflow.server.handlers import initialize_backend_stores  # noqa: PLC0415

    store = f"sqlite:///{folder / 'mlflow.db'}"
    initialize_backend_stores(store, store, (folder / "artifacts").as_uri())
    from mlflow.server.fastapi_app import app  # noqa: PLC0415

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", timeout_graceful_shutdown=2)


def _end_with_input() -> None:
    while sys.stdin.buffer.read(1 << 12):
        pass
    os._exit(0)  # SQLite's file survives that; nothing of the parent is left to tell


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
