"""`ragstead serve embedding`: a process with the real model behind the official client, without torch."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import numpy as np
import openai
import pytest

from integration.embedding_process import COMMAND, service


def test_official_client_is_served_by_the_real_model_without_torch() -> None:
    with service("--port", "0") as (process, url), openai.OpenAI(base_url=f"{url}/v1", api_key="none") as client:
        texts = ["How do I reset my password?", "Steps to recover a forgotten login", "Bananas are yellow"]
        answer = client.embeddings.create(model="text-embedding-3-small", input=texts)
        vectors = np.array([one.embedding for one in answer.data])
        assert vectors.shape == (3, 384)
        assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.3
        assert answer.model == "all-MiniLM-L6-v2"
        assert answer.usage.prompt_tokens == 23
        with pytest.raises(openai.BadRequestError, match=r"input\[1\] has 302 tokens and the model reads 256"):
            client.embeddings.create(model="all-MiniLM-L6-v2", input=["short", "word " * 300])
        maps = Path(f"/proc/{process.pid}/maps")
        assert not maps.exists() or "libtorch" not in maps.read_text()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0


def test_taken_port_is_said_before_the_model_is_opened() -> None:
    with service("--port", "0") as (_, url):
        port = url.rpartition(":")[2]
        refused = subprocess.run([*COMMAND, "--port", port], capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode == 2
    assert f"port {port} on 127.0.0.1 is taken" in refused.stderr
    assert refused.stdout == ""
