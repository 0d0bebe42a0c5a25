"""Nothing is committed that belongs to one machine, one index or nobody but its owner."""

from __future__ import annotations

import re

import pytest
from source_tree import ROOT, tracked

ANY_URL = re.compile(rb"https?://(\[[0-9a-f:]+\]|[^\s\"'<>`()\[\]{},;|\\/?#]+)")
HOSTS_ALLOWED = re.compile(
    r"(localhost|host|embedding|127\.0\.0\.1|\[::1\]|0\.0\.0\.0|(.+\.)?example(\.com|\.org|\.net)?|(.+\.)?(test|invalid)"
    r"|www\.apache\.org|www\.w3\.org|schemas\.openxmlformats\.org|purl\.org|keepachangelog\.com|semver\.org)"
)
"""Loopback, nginx's name for its upstream, names for examples, the licence's own, namespaces of file formats, what a
changelog follows."""
FORBIDDEN = {
    "a registry": re.compile(
        rb"(py"
        rb"pi\.org|python"
        rb"hosted\.org|hugging"
        rb"face\.co\b|download\.py"
        rb"torch\.org|--extra-"
        rb"index-url|--find-"
        rb"links|--trusted-"
        rb"host)"
    ),
    "a path of one machine": re.compile(
        rb"(?<![\w.])/(wo" rb"rk|ro" rb"ot|Us" rb"ers|home/[a-z]+|opt/(wheels|py" rb"pi))/"
    ),
    "a secret": re.compile(
        rb"-----BEGIN [A-Z ]*PRIVATE KEY|\bAKIA[0-9A-Z]{16}\b|\bsk-[A-Za-z0-9]{24,}"
        rb"|\bgh[pousr]_[A-Za-z0-9]{30,}|\bxox[abprs]-[0-9A-Za-z-]{20,}"
    ),
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_committed_file_holds(what: str) -> None:
    found = {}
    for path in tracked():
        match = FORBIDDEN[what].search((ROOT / path).read_bytes())
        if match:
            found[path] = match[0]
    assert found == {}


def test_urls_name_only_hosts_that_anybody_may_name() -> None:
    found = {}
    for path in tracked():
        for url in ANY_URL.findall((ROOT / path).read_bytes()):
            host = re.sub(r"^.*@|:(\d*|port)$", "", url.decode("utf-8", "replace"))
            if not host.startswith("$") and not HOSTS_ALLOWED.fullmatch(host):
                found[path] = host
    assert found == {}


def test_no_committed_file_is_large() -> None:
    sizes = {path: (ROOT / path).stat().st_size for path in tracked()}
    assert {path: size for path, size in sizes.items() if size > 1_000_000} == {}
