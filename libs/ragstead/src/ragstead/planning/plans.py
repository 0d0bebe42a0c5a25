"""What a model's plan says: one search a line, read strictly."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from ragstead.surrogates import without_surrogates

LONGEST_QUERY = 400
"""Characters of a search; a plan with a longer one is none."""
_LINE = re.compile(r"SEARCH:\s*(\S.*)")
_ENOUGH = "ENOUGH"


def read_plan(text: str) -> tuple[str, ...] | None:
    """Return the searches of a plan, none where it says ENOUGH; None where it is no plan.

    Every line is `SEARCH: words`, or the only line is `ENOUGH`; blank lines count for nothing. One line that is
    anything else, such as the call of a tool, and the whole is no plan.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if lines == [_ENOUGH]:
        return ()
    found = [_LINE.fullmatch(line) for line in lines]
    queries = [match[1].strip() for match in found if match]
    if not lines or len(queries) < len(lines) or any(len(query) > LONGEST_QUERY for query in queries):
        return None
    return tuple(queries)


def fresh(queries: Sequence[str], made: Collection[str], most: int) -> tuple[str, ...]:
    """Return the first `most` queries that have not been made, case and white space aside; each once, none blank."""
    seen = {_plain(query) for query in made}
    out: list[str] = []
    for query in queries:
        words = without_surrogates(" ".join(query.split()))
        if words and _plain(words) not in seen and len(out) < most:
            seen.add(_plain(words))
            out.append(words)
    return tuple(out)


def _plain(query: str) -> str:
    return " ".join(query.split()).casefold()
