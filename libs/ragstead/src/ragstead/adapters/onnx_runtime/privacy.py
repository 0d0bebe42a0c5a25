"""Keeps ONNX Runtime from reporting to its maker, which its builds do by default; imported before it is.

It looks at the variable when it is loaded. Nothing of ours reports, so this can't be switched.
"""

from __future__ import annotations

import os

VARIABLE = "ORT_DISABLE_TELEMETRY"

os.putenv(VARIABLE, "1")  # for C code: it looks there and not at `os.environ`
