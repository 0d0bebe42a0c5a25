"""Sections, atoms and packing put together, every size measured by the embedder's own tokens."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from ragstead.chunking.packing import Atom, Sizes, pack, weight
from ragstead.chunking.structure import Section, SplitSentences, atoms, blocks, pieces, sections, trimmed
from ragstead.errors import InvalidRequest
from ragstead.model import Chunk, ExtractedText, indexed_text
from ragstead.ports.embedder import TokenCounter

_ELLIPSIS = "…"


def chunk(
    extracted: ExtractedText,
    counter: TokenCounter,
    split_sentences: SplitSentences,
    *,
    max_tokens: int = 254,
    target_tokens: int = 200,
    overlap_tokens: int = 0,
    path_tokens_limit: int = 64,
) -> list[Chunk]:
    """Cut a document into chunks along its sections, blocks and sentences, in the order of the text.

    No chunk crosses from one section into another, except that sections too small to stand alone (under a
    quarter of the target) are joined with those that follow under the same parent. Every character that is
    not white space is in at least one chunk; a heading is in the chunk that follows it. Time grows linearly
    with the text.

    What is embedded is `indexed_text(indexed_title(title), chunk)`: it has at most `max_tokens` tokens.
    Where title and headings take more than `path_tokens_limit`, titles are cut at a word and end in `…`,
    then the outermost headings are left out of `heading_path`.

    Args:
        extracted: The document.
        counter: Counts tokens as the embedder does; called in few large batches.
        split_sentences: Returns the sentences of a text as offsets, ascending.
        max_tokens: What the embedder takes, without its special tokens.
        target_tokens: Size up to which whole blocks are packed together, without the heading path.
        overlap_tokens: How much of a chunk's end the next one of the same section repeats, in whole
            sentences.
        path_tokens_limit: What title and heading path may take of `max_tokens`.

    Returns:
        No chunks for a blank document.

    Raises:
        InvalidRequest: If the sizes leave no room for text.
    """
    if not (max_tokens - path_tokens_limit >= 16 and target_tokens >= 8 and 0 <= overlap_tokens <= target_tokens // 2):
        raise InvalidRequest(
            f"chunks of at most {max_tokens} tokens, {target_tokens} aimed at, {overlap_tokens} repeated and "
            f"{path_tokens_limit} for headings leave no room for text; raise max_tokens or lower the others"
        )
    limits = _Limits(max_tokens, target_tokens, overlap_tokens, path_tokens_limit)
    title = indexed_title(extracted.title, counter, path_tokens_limit=path_tokens_limit)
    parts = _measured(extracted, counter, split_sentences, max_tokens - path_tokens_limit)
    groups = _grouped(parts, target_tokens)
    spans = _packed(groups, _Paths(title, counter, path_tokens_limit), limits)
    fitting = _fitted(extracted, title, spans, counter, max_tokens)
    return [_chunk(extracted, span, position) for position, span in enumerate(fitting)]


def indexed_title(title: str, counter: TokenCounter, *, path_tokens_limit: int = 64) -> str:
    """Return the title as it is indexed: at most half of `path_tokens_limit`, cut at a word."""
    return _shortened(title, counter, path_tokens_limit // 2)


@dataclass(frozen=True, slots=True)
class _Limits:
    most: int
    target: int
    overlap: int
    path: int


@dataclass(frozen=True, slots=True)
class _Part:
    """Neighbouring sections that are packed as one."""

    level: int
    path: tuple[str, ...]
    atoms: Sequence[Atom]
    tokens: int
    is_bare: bool = False


@dataclass(frozen=True, slots=True)
class _Span:
    """A chunk in the making.

    Attributes:
        start: Offset of its first character.
        end: Offset behind its last.
        path: Heading path as it is stored.
        most: The most tokens it can have with its path, or None where only counting can tell.
    """

    start: int
    end: int
    path: tuple[str, ...]
    most: int | None = None


def _measured(
    extracted: ExtractedText, counter: TokenCounter, split_sentences: SplitSentences, room: int
) -> list[_Part]:
    """Count every atom in one batch, and the pieces of those that are too large in a second."""
    text = extracted.text
    spans: list[tuple[Section, int, int, int]] = []
    number = 0
    for section in sections(extracted):
        for block in blocks(text, section.start, section.end):
            spans += [(section, number, a, b) for a, b in atoms(text, block, split_sentences)]
            number += 1
    counts = counter.counts([text[a:b] for _, _, a, b in spans])
    whole = [Atom(a, b, n, block) for (_, block, a, b), n in zip(spans, counts, strict=True)]
    cut = [[atom] if weight(atom) <= room else _cut(text, atom) for atom in whole]
    small = [piece for parts, atom in zip(cut, whole, strict=True) if weight(atom) > room for piece in parts]
    recounted = iter(counter.counts([text[piece.start : piece.end] for piece in small]))
    sized = [
        parts if weight(atom) <= room else [Atom(p.start, p.end, next(recounted), p.block) for p in parts]
        for parts, atom in zip(cut, whole, strict=True)
    ]
    found: list[_Part] = []
    for section, rows in groupby(zip((span[0] for span in spans), sized, strict=True), key=lambda row: row[0]):
        within = [atom for _, parts in rows for atom in parts]
        found.append(_Part(section.level, section.path, within, sum(map(weight, within)), section.is_bare))
    return list(_with_bare_headings(found))


def _cut(text: str, atom: Atom) -> list[Atom]:
    return [Atom(a, b, 0, atom.block) for a, b in pieces(text, atom.start, atom.end)]


def _with_bare_headings(parts: Sequence[_Part]) -> Iterator[_Part]:
    """Put headings that nothing stands under before the first of their subsections."""
    bare: list[_Part] = []
    for part in parts:
        if bare and part.level <= bare[-1].level:
            yield from bare
            bare.clear()
        if part.is_bare:
            bare.append(part)
            continue
        within = [atom for one in (*bare, part) for atom in one.atoms]
        yield _Part(part.level, part.path, within, sum(map(weight, within)))
        bare.clear()
    yield from bare


def _grouped(parts: Sequence[_Part], target: int) -> list[_Part]:
    """Join sections too small to stand alone with the siblings or children that follow them."""
    small = target // 4
    groups: list[list[_Part]] = []
    size = 0
    for part in parts:
        joins = bool(groups) and size + part.tokens <= target and _belongs(groups[-1], part)
        if joins and (size < small or part.tokens < small):
            groups[-1].append(part)
            size += part.tokens
        else:
            groups.append([part])
            size = part.tokens
    return [_joined(group) for group in groups]


def _belongs(group: Sequence[_Part], part: _Part) -> bool:
    return part.level >= group[0].level and (part.path[: len(group[0].path) - 1] == group[0].path[:-1])


def _joined(group: Sequence[_Part]) -> _Part:
    if len(group) == 1:
        return group[0]
    shared = 0
    paths = [part.path for part in group]
    while all(len(path) > shared and path[shared] == paths[0][shared] for path in paths):
        shared += 1
    within = [atom for part in group for atom in part.atoms]
    return _Part(group[0].level, paths[0][:shared], within, sum(part.tokens for part in group))


class _Paths:
    """Heading paths that fit their share of a chunk, and how many tokens each takes with the title."""

    def __init__(self, title: str, counter: TokenCounter, limit: int) -> None:
        self._title = title
        self._counter = counter
        self._limit = limit
        self._known: dict[tuple[str, ...], tuple[tuple[str, ...], int]] = {}

    def fit(self, path: tuple[str, ...]) -> tuple[tuple[str, ...], int]:
        if path not in self._known:
            self._known[path] = self._fit(path)
        return self._known[path]

    def _fit(self, path: tuple[str, ...]) -> tuple[tuple[str, ...], int]:
        size = self._size(path)
        if size <= self._limit:
            return path, size
        path = tuple(_shortened(heading, self._counter, self._limit // 4) for heading in path)
        while path and (size := self._size(path)) > self._limit:
            path = path[1:]
        return (path, size) if path else ((), self._size(()))

    def _size(self, path: tuple[str, ...]) -> int:
        parts = [part for part in dict.fromkeys((self._title, *path)) if part]
        return self._counter.counts([" > ".join(parts)])[0] if parts else 0


def _shortened(words: str, counter: TokenCounter, limit: int) -> str:
    """Cut at a word so that the rest and an ellipsis take at most `limit` tokens."""
    words = words[: limit * 20]
    if not words or (counter.counts([words])[0] <= limit and len(words) <= limit * 10):
        return words
    cuts = [end for _, end in pieces(words, 0, len(words))]
    cuts = sorted({*cuts, *(i for i, c in enumerate(words) if c == " "), *range(8, min(len(words), 64), 8)})
    sizes = counter.counts([words[:cut] + _ELLIPSIS for cut in cuts])
    fitting = [cut for cut, size in zip(cuts, sizes, strict=True) if size <= limit and cut <= limit * 10]
    return words[: max(fitting)].rstrip() + _ELLIPSIS if fitting else ""


def _packed(groups: Sequence[_Part], paths: _Paths, limits: _Limits) -> list[_Span]:
    spans: list[_Span] = []
    for group in groups:
        path, size = paths.fit(group.path)
        budget = limits.most - max(size, 0)
        sizes = Sizes(budget, min(limits.target, budget), limits.overlap)
        spans += [_Span(one[0].start, one[-1].end, path, _bound(one, size)) for one in pack(group.atoms, sizes)]
    return spans


def _bound(atoms_within: Sequence[Atom], path_size: int) -> int | None:
    """Atoms apart by white space are tokenized as if alone, give or take a mark at their edge; others may not be.

    White space has a token for each character at most.
    """
    gaps = [other.start - one.end for one, other in pairwise(atoms_within)]
    if 0 in gaps:
        return None
    return path_size + sum(atom.tokens for atom in atoms_within) + sum(gaps) + len(atoms_within) + 1


def _fitted(
    extracted: ExtractedText, title: str, spans: Sequence[_Span], counter: TokenCounter, most: int
) -> list[_Span]:
    """Halve, until none is left, the chunks that the tokenizer makes more of than of their parts."""
    kept = [span for span in spans if span.most is not None and span.most <= most]
    todo = [span for span in spans if span.most is None or span.most > most]
    while todo:
        sizes = counter.counts([indexed_text(title, _chunk(extracted, span, 0)) for span in todo])
        again: list[_Span] = []
        for span, size in zip(todo, sizes, strict=True):
            if size <= most or span.end - span.start == 1:
                kept.append(span)
            else:
                again += _halved(extracted.text, span)
        todo = again
    return sorted(kept, key=lambda span: (span.start, span.end))


def _halved(text: str, span: _Span) -> list[_Span]:
    start, end = span.start, span.end
    middle = (start + end) // 2
    space = text.rfind(" ", start + 1, middle)
    middle = space if space > start + (end - start) // 4 else middle
    halves = (trimmed(text, start, middle), trimmed(text, middle, end))
    return [_Span(*half, span.path) for half in halves if half]


def _chunk(extracted: ExtractedText, span: _Span, position: int) -> Chunk:
    page = bisect_right(extracted.page_starts, span.start) or None
    breaks = extracted.page_starts[page or 0 : bisect_left(extracted.page_starts, span.end)]
    text = extracted.text[span.start : span.end]
    return Chunk(position, span.start, span.end, text, span.path, page, tuple(breaks))
