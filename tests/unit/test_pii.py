"""Personal data is found by its shape and its check digits; what only looks like it is left alone."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragstead.guardrails.pii import PiiKind, PiiSpan, find_pii, finder_of_leaks, is_redacted, leaked_pii, redact

FOUND = [
    ("Write to ann.lee@example.com.", "ann.lee@example.com", "email"),
    ("<o'neil@mail.example.org>", "o'neil@mail.example.org", "email"),
    ("Call me at 451 5986 today", "451 5986", "phone"),
    ("It is (602)272-9781.", "(602)272-9781", "phone"),
    ("Fax: 463-612-6138x036", "463-612-6138x036", "phone"),
    ("+41 (0)96 471 07 95 or mail", "+41 (0)96 471 07 95", "phone"),
    ("Rufnummer 030/123456", "030/123456", "phone"),
    ("card 4111 1111 1111 1111.", "4111 1111 1111 1111", "card"),
    ("paid with 378282246310005", "378282246310005", "card"),
    ("to GB82 WEST 1234 5698 7654 32 by Friday", "GB82 WEST 1234 5698 7654 32", "iban"),
    ("de89370400440532013000", "de89370400440532013000", "iban"),
    ("from 41.173.96.26 again", "41.173.96.26", "ip_address"),
    ("at 6e40:4041:c617:e898:c11:40d2:c669:2eb4 now", "6e40:4041:c617:e898:c11:40d2:c669:2eb4", "ip_address"),
    ("ping fe80::1.", "fe80::1", "ip_address"),
    ("(see www.example.com/a_(b))", "www.example.com/a_(b)", "domain"),
    ("shop.example.de, they said", "shop.example.de", "domain"),
    ("His SSN is 853-37-1694.", "853-37-1694", "us_ssn"),
    ("social security 853371694", "853371694", "us_ssn"),
]
CLEAN = [
    "card 4111 1111 1111 1112",  # its check digit is wrong
    "to GB83 WEST 1234 5698 7654 32",
    "000-12-3456 and 666-12-3456 and 912-12-3456",  # never given out
    "Upgrade to version 1.14.16.2",
    "on 2020-06-20 at 14:11:22, from 1914-1918",
    "It costs $1,234,567.00 or 12 345 678 euros",
    "ISBN 978-3-16-148410-0",
    "Order 123-4567890-1234567",
    "the device 00:1b:44:11:3a:b7",
    "README.md, main.py, Node.js, e.g. this, std::vector, a::b",
    "call f.at(1234567)",
    "999.1.2.3 is no address",
]


@pytest.mark.parametrize(("text", "words", "kind"), FOUND)
def test_personal_data_is_found_with_its_exact_span(text: str, words: str, kind: str) -> None:
    start = text.index(words)
    assert find_pii(text) == (PiiSpan(start, start + len(words), PiiKind(kind)),)


@pytest.mark.parametrize("text", CLEAN)
def test_what_only_looks_like_personal_data_is_left_alone(text: str) -> None:
    assert find_pii(text) == ()


def test_redacted_text_is_known_as_such() -> None:
    assert is_redacted(redact("Write to ann.lee@example.com."))
    assert not is_redacted("Write to Ann <ann>, about an EMAIL.")


def test_redacted_text_names_the_kind_and_keeps_the_rest() -> None:
    assert redact("Ann (ann@example.com) called from 780-999-2181 twice.") == "Ann (<EMAIL>) called from <PHONE> twice."


def test_kinds_not_asked_for_are_left_alone_and_not_told_as_another() -> None:
    text = "card 4111 1111 1111 1111, ann@example.com"
    assert [span.kind for span in find_pii(text, {PiiKind.PHONE, PiiKind.EMAIL})] == [PiiKind.EMAIL]


def test_leaked_is_what_stands_in_no_source_however_it_is_grouped() -> None:
    answer = "Pay to GB82 WEST 1234 5698 7654 32 or ask eve@example.com."
    assert [span.kind for span in leaked_pii(answer, ["IBAN gb82west12345698765432"])] == [PiiKind.EMAIL]


def test_only_whole_data_of_a_source_counts_as_known() -> None:
    assert len(leaked_pii("Call 780-999-2181.", ["Call 1780-999-21810 or 55."])) == 1
    assert leaked_pii("Call 780-999-2181.", ["nothing", "Call 780 999_21 81."]) == ()
    assert len(leaked_pii("Call 780-999-2181.", ["Call 780 999 or, after noon, 2181."])) == 1
    assert leaked_pii("Ask Jane.Roe@Example.com.", ["ask jane.roe@EXAMPLE.COM!"]) == ()


def test_finder_of_leaks_tells_of_each_text_what_its_sources_lack() -> None:
    find = finder_of_leaks(["Call 780-999-2181."], {PiiKind.PHONE})
    for _ in range(2):
        assert [span.start for span in find("780 999 2181 or 780-999-2182, jane@example.com")] == [16]


PIECES = st.sampled_from(
    [*[text for text, _, _ in FOUND], *CLEAN, "@", "a.", ".", "1", "12 ", "(", "+", "-", "::", "4111", "x", "\n", "é"]
)


@given(st.lists(PIECES, max_size=30).map("".join) | st.text(max_size=200))
def test_spans_are_in_order_do_not_overlap_and_redaction_finds_them_all(text: str) -> None:
    spans = find_pii(text)
    assert all(0 <= span.start < span.end <= len(text) for span in spans)
    assert all(one.end <= other.start for one, other in itertools.pairwise(spans))
    assert redact(text, spans).count("<") == text.count("<") + len(spans) - sum(
        text[span.start : span.end].count("<") for span in spans
    )


@pytest.mark.parametrize(
    "unit",
    [
        "1",
        "1 ",
        "1-",
        "(1",
        "a.",
        "a.aa",
        "a@",
        "@",
        "1.",
        ":",
        "1:",
        "a-",
        "0 0",
        "GB82",
        "+",
        "http://",
        "x(1)",
        "4111 ",
    ],
)
def test_time_grows_with_the_length_alone_whatever_is_repeated(unit: str) -> None:
    def seconds(n: int) -> float:
        text = unit * (n // len(unit))
        began = time.process_time()
        find_pii(text)
        return time.process_time() - began

    seconds(2_000)
    small, large = min(seconds(20_000) for _ in range(3)), min(seconds(160_000) for _ in range(3))
    assert large < 0.05 + 24 * small  # eight times the text: quadratic would be 64
