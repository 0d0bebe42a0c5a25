"""A profile as the command line and the environment of vLLM's server."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from ragstead.model_profiles import ModelProfile
from ragstead.settings import usable_cores

SERVER = "vllm.entrypoints.openai.api_server"


@dataclass(frozen=True, slots=True)
class VllmCommand:
    """What starts a server.

    Attributes:
        words: The program and its arguments.
        environment: Variables beside those of the caller, none of them secret.
    """

    words: Sequence[str]
    environment: dict[str, str]

    def __str__(self) -> str:
        """Return it as a shell reads it."""
        return " ".join([*(f"{name}={value}" for name, value in self.environment.items()), shlex.join(self.words)])


def vllm_command(profile: ModelProfile, *, python: str, host: str, port: int) -> VllmCommand:
    """Return what serves a profile.

    Args:
        profile: Of the model.
        python: Of the environment that has vLLM.
        host: Where it listens.
        port: The same; not 0.
    """
    given: dict[str, object] = {
        "model": profile.model,
        "revision": profile.revision,
        "served-model-name": profile.served_name,
        "host": host.strip("[]"),
        "port": port,
        "dtype": profile.dtype,
        "quantization": profile.quantization,
        "max-model-len": profile.max_length,
        "max-num-seqs": profile.max_sequences,
        "gpu-memory-utilization": profile.gpu_memory_share,
        "tensor-parallel-size": profile.tensor_parallel,
        "chat-template": profile.chat_template,
        "tool-call-parser": profile.tool_call_parser,
    }
    words = [python, "-m", SERVER]
    for name, value in given.items():
        if value is not None:
            words += [f"--{name}", str(value)]
    words.append("--enable-prefix-caching" if profile.prefix_caching else "--no-enable-prefix-caching")
    if profile.tool_call_parser:
        words.append("--enable-auto-tool-choice")
    if profile.eager:
        words.append("--enforce-eager")
    return VllmCommand(words, _environment(profile))


def _environment(profile: ModelProfile) -> dict[str, str]:
    """Return the variables; vLLM tells its makers what it runs on unless one of the first three says not to."""
    variables = {"VLLM_NO_USAGE_STATS": "1", "VLLM_DO_NOT_TRACK": "1", "DO_NOT_TRACK": "1"}
    if profile.eager:
        variables["TORCH_COMPILE_DISABLE"] = "1"  # vLLM has a few functions compiled all the same
    if profile.cpu_cache_gib is not None:
        variables["VLLM_CPU_KVCACHE_SPACE"] = str(profile.cpu_cache_gib)
        if profile.tensor_parallel == 1:
            variables |= _in_one_process(profile.cpu_threads or max(1, usable_cores() - 1))
    return variables


def _in_one_process(threads: int) -> dict[str, str]:
    """Have the engine compute in its own process, with so many threads.

    By default it has another do it, and the two wait for each other by yielding in a loop, which with threads on every
    core lets nothing else on the machine run for seconds (Linux 6.18).
    """
    return {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "OMP_NUM_THREADS": str(threads)}
