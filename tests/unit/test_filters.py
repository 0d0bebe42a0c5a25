"""Filters: parsed strictly, and the same in SQL as in Python."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ragstead.adapters.sqlalchemy_metadata import Database, SqlCollections, SqlIntake, SqlLedger, SqlLiveChunks
from ragstead.errors import InvalidRequest
from ragstead.filters import Comparison, Compound, Filter, Membership, matches, parse_filter
from ragstead.model import Chunk, ExtractedText, chunk_key
from ragstead.ports.ledger import NewVersion, Parsed
from ragstead.testing.fakes import InlinePool

BAD = [
    "year",
    [],
    {},
    {"type": "eq"},
    {"type": "eq", "key": "year"},
    {"type": "eq", "key": "", "value": 1},
    {"type": "eq", "key": 3, "value": 1},
    {"type": "eq", "key": "year", "value": None},
    {"type": "eq", "key": "year", "value": [1]},
    {"type": "eq", "key": "year", "value": float("nan")},
    {"type": "eq", "key": "year", "value": 10**400},
    {"type": "eq", "key": "year", "value": 1, "extra": 1},
    {"type": "EQ", "key": "year", "value": 1},
    {"type": "like", "key": "year", "value": "x"},
    {"type": "gt", "key": "draft", "value": True},
    {"type": "in", "key": "year", "value": 1},
    {"type": "in", "key": "year", "value": []},
    {"type": "and", "filters": []},
    {"type": "and", "filters": {}},
    {"type": "or", "filters": [{"type": "eq"}]},
    {"type": "and", "filters": [{"type": "eq", "key": "a", "value": 1}], "key": "a"},
]


@pytest.mark.parametrize("value", BAD)
def test_parse_filter_with_anything_off_is_refused(value: object) -> None:
    with pytest.raises(InvalidRequest) as raised:
        parse_filter(value)
    assert raised.value.param is not None
    assert raised.value.param.startswith("filter")


def test_parse_filter_nested_too_deep_is_refused() -> None:
    value: dict[str, object] = {"type": "eq", "key": "a", "value": 1}
    for _ in range(50):
        value = {"type": "and", "filters": [value]}
    with pytest.raises(InvalidRequest, match="nested"):
        parse_filter(value)


def test_parse_filter_with_too_many_comparisons_is_refused() -> None:
    one = {"type": "eq", "key": "a", "value": 1}
    with pytest.raises(InvalidRequest, match="256"):
        parse_filter({"type": "or", "filters": [one] * 257})


def test_parse_filter_with_none_is_no_filter() -> None:
    assert parse_filter(None) is None
    assert matches(None, {})


def test_missing_attribute_matches_nothing_not_even_ne() -> None:
    assert not matches(Comparison("ne", "secret", "yes"), {})
    assert not matches(Membership("secret", ("yes",)), {})


def test_values_compare_within_their_kind_alone() -> None:
    assert not matches(Comparison("eq", "n", "3"), {"n": 3.0})
    assert not matches(Comparison("eq", "n", 1.0), {"n": True})
    assert not matches(Comparison("gte", "n", "3"), {"n": 3.0})
    assert matches(Comparison("ne", "n", "3"), {"n": 3.0})


KEYS = st.sampled_from(["a", "b", "it's", "ключ"])
VALUES = st.one_of(
    st.booleans(),
    st.sampled_from(["", "x", "y", "X", "1", "%", "ü", "\U0001f600", "x' OR '1'='1"]),
    st.sampled_from([0.0, 1.0, -2.5, 1e12]),
)
COMPARISONS = st.one_of(
    st.builds(Comparison, st.sampled_from(["eq", "ne"]), KEYS, VALUES),
    st.builds(
        Comparison,
        st.sampled_from(["gt", "gte", "lt", "lte"]),
        KEYS,
        VALUES.filter(lambda value: not isinstance(value, bool)),
    ),
    st.builds(Membership, KEYS, st.lists(VALUES, min_size=1, max_size=3).map(tuple)),
)
FILTERS: st.SearchStrategy[Filter] = st.recursive(
    COMPARISONS,
    lambda inner: st.builds(
        Compound, st.sampled_from(["and", "or"]), st.lists(inner, min_size=1, max_size=3).map(tuple)
    ),
    max_leaves=6,
)
ATTRIBUTES = st.dictionaries(KEYS, VALUES, max_size=4)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(condition=FILTERS, documents=st.lists(ATTRIBUTES, min_size=1, max_size=5))
def test_sql_and_python_agree_on_every_filter(
    condition: Filter, documents: list[dict[str, str | float | bool]]
) -> None:
    async def scenario() -> None:
        database = Database("sqlite://", InlinePool())
        collection = await SqlCollections(database).create("c", index_identity="x", metadata={})
        versions = [
            NewVersion(f"d{i}", "f", f"{i:064d}", 1, "", plain_text=True, recipe="r", attributes=a)
            for i, a in enumerate(documents)
        ]
        await SqlIntake(database).submit(collection.collection_id, versions)
        ledger, live = SqlLedger(database), SqlLiveChunks(database)
        works = await ledger.claim(100)
        chunk = Chunk(0, 0, 1, "t")
        await ledger.record([Parsed(work.version_key, ExtractedText("t"), "", [chunk]) for work in works], {})
        await ledger.publish([work.version_key for work in works])
        expected = {f"d{i}" for i, attributes in enumerate(documents) if matches(condition, attributes)}
        keys = [chunk_key(work.version_key, 0) for work in works]
        fetched = await live.fetch(collection.collection_id, keys, condition)
        assert {stored.document_id for stored in fetched.values()} == expected
        scope = await live.scope(collection.collection_id, condition)
        assert {work.document_id for work in works if scope.admits(chunk_key(work.version_key, 0))} == expected
        database.close()

    asyncio.run(scenario())
