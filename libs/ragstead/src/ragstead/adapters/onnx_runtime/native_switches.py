"""What is told to C and Rust code in the environment, before it is loaded.

ONNX Runtime's builds report to their maker by default; nothing of ours reports, so this can't be switched. The
tokenizers library cuts a batch up among threads of its own, which would take the cores from questions: bulk work has
threads that give way.
"""

from __future__ import annotations

import os

VARIABLE = "ORT_DISABLE_TELEMETRY"

os.putenv(VARIABLE, "1")  # for C code: it looks there and not at `os.environ`
os.putenv("TOKENIZERS_PARALLELISM", "false")
