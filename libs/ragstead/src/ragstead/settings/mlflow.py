"""Where releases and experiments are kept."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from ragstead.settings.section import SecretReference, Section


class MlflowSettings(Section):
    """MLflow: a server of yours, or one beside the platform on SQLite in the data directory."""

    url: str | None = Field(None, pattern="^https?://")
    """Of a server of yours. Null: the one beside the platform, and where none runs its files in the data directory."""
    token: SecretReference | None = None
    """Bearer token that a server of yours asks for, by reference."""
    serve: bool = False
    """`ragstead up` starts a server beside the platform, as `--mlflow` does; about 250 MB of memory."""
    port: int = Field(5001, ge=0, le=65535)
    """Of that server, on loopback."""
    follow: bool = True
    """Whether the champion is what answers, where there is one; false: always the configuration's pipeline."""
    poll_s: float = Field(2, gt=0)
    """Seconds between two questions after the champion. Higher: promotions are seen later."""
    timeout_s: float = Field(10, gt=0)
    """Seconds for MLflow to answer one request."""

    def folder(self, data_dir: Path) -> Path:
        """Where the database and the files of the server beside the platform lie."""
        return data_dir / "mlflow"
