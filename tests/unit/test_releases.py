"""Release ids, what differs between manifests, which promotion the gate lets pass, and which champion was before."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragstead.errors import GateRefused, InvalidRequest
from ragstead.ports.registry import GateVerdict, Promotion, Provenance, RegisteredRelease
from ragstead.releases import (
    Difference,
    check_promotion,
    differences,
    previous_champion,
    read_manifest,
    release_of,
    written,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)
MANIFESTS = st.dictionaries(st.text(), JSON, max_size=4)


def test_id_is_the_begin_of_the_hash_of_the_manifest_as_canonical_json() -> None:
    release = release_of({"b": 1, "a": {"d": "ä", "c": [1.5, None]}})
    canonical = '{"a":{"c":[1.5,null],"d":"ä"},"b":1}'
    assert release.release_id == f"r-{hashlib.sha256(canonical.encode()).hexdigest()[:12]}"


def test_where_a_release_comes_from_is_no_part_of_its_id() -> None:
    bare, known = release_of({"a": 1}), release_of({"a": 1}, Provenance("1.0", "abc", {"default": 3}, "mine"))
    assert bare.release_id == known.release_id


@given(MANIFESTS)
def test_manifest_comes_back_from_its_text(manifest) -> None:  # type: ignore[no-untyped-def]
    release = release_of(manifest)
    assert read_manifest(written(release), release.release_id) == release


@pytest.mark.parametrize("text", ["{", "[]", '{"a": 2}'])
def test_manifest_that_is_damaged_or_another_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="manifest"):
        read_manifest(text, release_of({"a": 1}).release_id)


def test_differences_are_named_by_their_dotted_paths() -> None:
    old = {"pipeline": {"retrieval": {"alpha": 0.5, "k": 1}, "gone": True}, "prompts": {"a": "x"}, "list": [1, 2]}
    new = {"pipeline": {"retrieval": {"alpha": 0.7, "k": 1}}, "prompts": {"a": "x", "b": "y"}, "list": [1]}
    assert differences(old, new) == [
        Difference("list", [1, 2], [1]),
        Difference("pipeline.gone", True, None),
        Difference("pipeline.retrieval.alpha", 0.5, 0.7),
        Difference("prompts.b", None, "y"),
    ]


@given(MANIFESTS, MANIFESTS)
def test_manifest_does_not_differ_from_itself_and_differences_turn_round(one, other) -> None:  # type: ignore[no-untyped-def]
    assert differences(one, one) == []
    turned = [Difference(found.path, found.new, found.old) for found in differences(other, one)]
    assert differences(one, other) == turned


def promotion(to: str, origin: str | None = None, kind: str = "promote") -> Promotion:
    return Promotion(to, origin, kind, "ann", 1.0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("trail", "champion", "before"),
    [
        ([], None, None),
        ([promotion("a")], "a", None),
        ([promotion("a"), promotion("b")], "b", "a"),
        ([promotion("a"), promotion("b"), promotion("c")], "c", "b"),
        ([promotion("a"), promotion("b"), promotion("c"), promotion("b", "c", "rollback")], "b", "a"),
        ([promotion("a"), promotion("b"), promotion("a", "b", "rollback")], "a", None),
        ([promotion("a"), promotion("b"), promotion("a", "b", "rollback"), promotion("c", "a")], "c", "a"),
        ([promotion("a"), promotion("b"), promotion("a", "b")], "a", "b"),
        ([promotion("a"), promotion("b")], "set by hand", "b"),
    ],
)
def test_champion_before_this_one(trail: list[Promotion], champion: str | None, before: str | None) -> None:
    assert previous_champion(trail, champion) == before


CANDIDATE = release_of({"candidate": 1})


def registered(gate: GateVerdict | None) -> RegisteredRelease:
    return RegisteredRelease(CANDIDATE, 2, 1.0, gate=gate)


PASSED, REFUSED = GateVerdict("passed", against="r-live"), GateVerdict("refused", why="ndcg@10 fell by 0.1")


@pytest.mark.parametrize(
    ("gate", "champion", "words"),
    [
        (None, "r-live", "has not seen"),
        (REFUSED, "r-live", r"ndcg@10 fell"),
        (REFUSED, None, "refused"),
        (PASSED, "r-another", "compared release .* with r-live, and r-another is live"),
    ],
)
def test_what_the_gate_does_not_pass_needs_force_and_a_reason(
    gate: GateVerdict | None, champion: str | None, words: str
) -> None:
    with pytest.raises(GateRefused, match=words):
        check_promotion(registered(gate), champion, force=False, why="")
    with pytest.raises(InvalidRequest, match="--why"):
        check_promotion(registered(gate), champion, force=True, why="  ")
    assert check_promotion(registered(gate), champion, force=True, why="it must go out")


@pytest.mark.parametrize(
    ("gate", "champion"),
    [(PASSED, "r-live"), (GateVerdict("passed"), "r-live"), (PASSED, None), (None, None)],
)
def test_what_the_gate_passes_and_the_first_champion_need_none(gate: GateVerdict | None, champion: str | None) -> None:
    assert not check_promotion(registered(gate), champion, force=False, why="")
    assert not check_promotion(registered(gate), champion, force=True, why="to be sure")
