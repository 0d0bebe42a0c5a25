"""Names of evaluation runs."""

from __future__ import annotations

import secrets
import time


def new_run_id() -> str:
    """Return a name for a run: the time in UTC, and three random bytes."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(3)}"
