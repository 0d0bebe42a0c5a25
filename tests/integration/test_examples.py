"""The examples of clients, each as its reader runs it, against `ragstead serve embedding`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import openai
import pytest
import tiktoken
from langchain_openai import OpenAIEmbeddings

from integration.balanced import KEY, ROOT, embedding_service
from programs import needed

EXAMPLES = ROOT / "examples" / "embeddings"
SIMILAR = re.compile(r"^(\d\.\d{3})  ", flags=re.MULTILINE)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service that asks for a key."""
    service = embedding_service(tmp_path_factory.mktemp("service"), {"embedding": {}})
    try:
        service.start()
        service.wait()
        yield f"http://{service.address}/v1"
    finally:
        service.stop()


def printed(command: Sequence[str | Path], folder: Path, url: str = "") -> str:
    """What the command prints; it has no more of the tests' environment than a reader would have."""
    environ = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environ |= {name: value for name, value in os.environ.items() if name.lower().startswith("npm_config_")}
    environ |= {"RAGSTEAD_URL": url, "RAGSTEAD_API_KEY": KEY}
    told = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=120, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    return told.stdout


def assert_embedded(text: str) -> None:
    assert text.startswith("all-MiniLM-L6-v2: 384 dimensions, 23 tokens\n")
    near, far, same = map(float, SIMILAR.findall(text))
    assert near > far + 0.3
    assert same == 1


def test_python_with_openais_client(url: str) -> None:
    assert_embedded(printed([sys.executable, "embed.py"], EXAMPLES / "python", url))


def test_typescript_with_openais_client(url: str, tmp_path: Path) -> None:
    npm, node = needed("npm"), needed("node")
    copy = tmp_path / "typescript"
    shutil.copytree(EXAMPLES / "typescript", copy, ignore=shutil.ignore_patterns("node_modules", "build"))
    printed([npm, "ci", "--no-audit", "--no-fund", "--prefer-offline"], copy)
    printed([npm, "run", "build"], copy)
    assert_embedded(printed([node, "build/embed.js"], copy, url))


def test_langchain_searches_by_meaning(url: str) -> None:
    first, *found = printed([sys.executable, "search.py"], EXAMPLES / "langchain", url).splitlines()
    assert first == "4 texts, 384 dimensions"
    assert [re.sub(r"\d\.\d{3}", "…", line) for line in found] == [
        "How many vacation days do I get? … Full-time employees have 28 days of paid annual leave.",
        "When do boats set sail? … The tide turns at noon, and ships leave the harbour with it.",
    ]


def test_langchains_token_ids_are_refused_with_the_cure(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """LangChain's default tokenises with OpenAI's vocabulary, which is on the network: here it finds one of bytes."""
    of_bytes = tiktoken.Encoding(
        "of bytes", pat_str=r"\w+|\W+", mergeable_ranks={bytes([i]): i for i in range(256)}, special_tokens={}
    )
    monkeypatch.setitem(tiktoken.registry.ENCODINGS, "cl100k_base", of_bytes)
    embeddings = OpenAIEmbeddings(model="text-embedding-3-small", base_url=url, api_key=KEY)
    with pytest.raises(openai.BadRequestError, match="check_embedding_ctx_length=False"):
        embeddings.embed_documents(["The tide turns at noon."])
