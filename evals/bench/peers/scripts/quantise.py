"""Writes a model as sentence-transformers documents it for CPUs: an ONNX graph, quantised to int8 for this processor.

    python quantise.py FOLDER TARGET

TARGET becomes a model folder whose only graph is `onnx/model_quantized.onnx`. Run in an environment that has
sentence-transformers with its onnx extra.
"""

from __future__ import annotations

import platform
import sys
import tempfile
from pathlib import Path

from sentence_transformers import SentenceTransformer, export_dynamic_quantized_onnx_model

FLAGS = {"avx512_vnni": "avx512_vnni", "avx512f": "avx512"}
"""optimum's quantisations by the processor's flag, the best first."""


def configuration() -> str:
    """Return the name of optimum's quantisation for this processor."""
    if platform.machine() in ("arm64", "aarch64"):
        return "arm64"
    cpu = Path("/proc/cpuinfo")
    flags = cpu.read_text("utf-8").split() if cpu.is_file() else []
    return next((name for flag, name in FLAGS.items() if flag in flags), "avx2")


def main() -> None:
    """Write the folder; it appears whole or not at all."""
    source, target = sys.argv[1], Path(sys.argv[2])
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        made = Path(folder) / "model"
        model = SentenceTransformer(
            source, device="cpu", backend="onnx", local_files_only=True, model_kwargs={"export": True}
        )
        model.save_pretrained(str(made))
        export_dynamic_quantized_onnx_model(model, configuration(), str(made))
        (graph,) = made.glob("onnx/*_qint8_*.onnx")
        for other in set(made.glob("**/*.onnx")) - {graph}:
            other.unlink()
        graph.rename(graph.with_name("model_quantized.onnx"))
        made.rename(target)
    sys.stdout.write(configuration())


if __name__ == "__main__":
    main()
