"""The values that pass between the parts: validated when made, immutable after.

All offsets are Unicode code points into a document's extracted text, half-open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from ragstead.errors import InvalidRequest

AttributeValue = str | float | bool
Attributes = Mapping[str, AttributeValue]
COLLECTION_NAME = r"^\w[\w.\- ]*$"
COLLECTION_NAME_CHARS = 128
Role = Literal["query", "passage"]

CHUNKS_PER_VERSION = 1 << 20
"""Upper bound of the chunks of one version: a chunk's key is `version * CHUNKS_PER_VERSION + position`."""


class State(StrEnum):
    """Where a document stands on its way in or out; the order is the order of the way."""

    QUEUED = "queued"
    PARSING = "parsing"
    EMBEDDING = "embedding"
    INDEXING = "indexing"
    INDEXED = "indexed"
    EMPTY = "empty"
    FAILED = "failed"
    DELETING = "deleting"


PENDING_STATES = (State.QUEUED, State.PARSING, State.EMBEDDING, State.INDEXING)
"""States from which a killed process resumes."""


class Strategy(StrEnum):
    """Which candidates are considered and how they are ranked."""

    HYBRID = "hybrid"
    """The union of BM25's and the dense search's candidates, fused."""
    PREFILTER = "prefilter"
    """BM25's candidates alone, scored densely, fused."""
    DENSE = "dense"
    """The dense search alone, by cosine."""
    LEXICAL = "lexical"
    """BM25 alone."""


@dataclass(frozen=True, slots=True)
class Collection:
    """A named set of documents that is searched as one; OpenAI calls it a vector store.

    Attributes:
        collection_id: `vs_...`, unique, never used again.
        name: Unique; what `--collection` and `rag.collection` take.
        version: Counts the visible changes, from 0.
        index_name: The physical index behind it.
        index_identity: What its vectors and terms were made with; an index is only used by the same.
        created_at: Unix seconds.
        metadata: The caller's own labels.
        counts: Documents by state.
        size_bytes: Bytes of its documents' files.
    """

    collection_id: str
    name: str
    version: int
    index_name: str
    index_identity: str
    created_at: int
    metadata: Mapping[str, str] = field(default_factory=dict)
    counts: Mapping[State, int] = field(default_factory=dict)
    size_bytes: int = 0

    @property
    def may_leave(self) -> bool:
        """Whether its texts, and questions about them, may be sent to a hosted API."""
        return egress_allowed(self.metadata)


def egress_allowed(metadata: Mapping[str, str]) -> bool:
    """Return whether a collection's owner said `egress: allow` in its metadata; all else means that texts stay."""
    return metadata.get("egress") == "allow"


@dataclass(frozen=True, slots=True)
class Document:
    """A document as its owner sees it.

    Attributes:
        collection_id: The collection it is in.
        document_id: Unique in its collection.
        file_id: Unique everywhere.
        filename: As it was given.
        title: The document's own title, or empty.
        state: Where it stands; while a new version of an indexed document is on its way, that version's state.
        reason: Why it failed, or None.
        pages: Number of pages; None where the format has none.
        chunks: Number of chunks of the live version.
        attributes: The caller's own, for filters.
        size_bytes: Size of the file.
        created_at: Unix seconds.
    """

    collection_id: str
    document_id: str
    file_id: str
    filename: str
    title: str
    state: State
    reason: str | None
    pages: int | None
    chunks: int
    attributes: Attributes
    size_bytes: int
    created_at: int


@dataclass(frozen=True, slots=True)
class StoredFile:
    """An upload, whether or not it is in a collection.

    Attributes:
        file_id: `file-...`, unique everywhere.
        filename: As it was given.
        purpose: As OpenAI's API names it.
        size_bytes: Size in bytes.
        sha256: Content hash under which the blob store holds it.
        created_at: Unix seconds.
    """

    file_id: str
    filename: str
    purpose: str
    size_bytes: int
    sha256: str
    created_at: int


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading in the extracted text.

    Attributes:
        start: Offset of the heading's first character.
        end: Offset behind its last.
        level: 1 for the outermost.
        title: Its words, without marks.
    """

    start: int
    end: int
    level: int
    title: str

    def __post_init__(self) -> None:
        if not (0 <= self.start <= self.end and self.level >= 1):
            raise InvalidRequest(f"heading {self.start}:{self.end} level {self.level} is no heading")


@dataclass(frozen=True, slots=True)
class ExtractedText:
    r"""What a loader makes of a file: one text and where its parts begin.

    Attributes:
        text: The whole text, NFC, `\n` for line ends, without NUL or lone surrogates.
            Blocks (paragraphs, list items, table rows) are separated by line ends.
        title: The document's own title, or empty.
        headings: In order of their offsets; each stands in `text`.
        page_starts: Offset at which each page, slide or sheet begins, ascending; empty where there are none.
    """

    text: str
    title: str = ""
    headings: tuple[Heading, ...] = ()
    page_starts: tuple[int, ...] = ()

    @property
    def is_blank(self) -> bool:
        """True where nothing but white space was found."""
        return not self.text.strip()

    def page_at(self, offset: int) -> int | None:
        """Page number, from 1, on which `offset` lies; None where the format has no pages."""
        page = sum(1 for start in self.page_starts if start <= offset)
        return page or None


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a document's text, small enough to embed.

    Attributes:
        position: 0 for the first of its document.
        start: Offset of its first character in the document's text.
        end: Offset behind its last; `text[start:end]` is the chunk's text.
        text: The words themselves.
        heading_path: Titles of the headings it stands under, outermost first.
        page: Page on which it begins, from 1; None where the format has none.
        page_breaks: Offsets in the document's text, within the chunk, at which the pages after that one begin.
        injection: Probability in [0, 1] that instructions for a model were put into it; None where nobody looked.
    """

    position: int
    start: int
    end: int
    text: str
    heading_path: tuple[str, ...] = ()
    page: int | None = None
    page_breaks: tuple[int, ...] = ()
    injection: float | None = None

    def page_at(self, offset: int) -> int | None:
        """Page on which an offset of the document's text within the chunk lies; None where the format has none."""
        return None if self.page is None else self.page + sum(1 for start in self.page_breaks if start <= offset)

    def __post_init__(self) -> None:
        if not (0 <= self.position < CHUNKS_PER_VERSION and 0 <= self.start < self.end):
            raise InvalidRequest(f"chunk {self.position} at {self.start}:{self.end} is no chunk")
        if len(self.text) != self.end - self.start:
            raise InvalidRequest(f"chunk {self.position} has {len(self.text)} characters over {self.start}:{self.end}")


def heading_line(title: str, chunk: Chunk) -> str:
    """Title and heading path as one line, each part once; empty where there are none."""
    return " > ".join(part for part in dict.fromkeys((title, *chunk.heading_path)) if part)


def indexed_text(title: str, chunk: Chunk) -> str:
    """Text that the embedder sees for a chunk: title and heading path, then the chunk itself."""
    heading = heading_line(title, chunk)
    return f"{heading}\n{chunk.text}" if heading else chunk.text


@dataclass(frozen=True, slots=True)
class Scope:
    """Which versions a search may return; both indexes restrict the search itself to it.

    Attributes:
        version_keys: The versions meant.
        exclude: True where all but `version_keys` may be returned, False where only they may.
    """

    version_keys: frozenset[int] = frozenset()
    exclude: bool = True

    @property
    def is_everything(self) -> bool:
        """True where nothing is held back."""
        return self.exclude and not self.version_keys

    @property
    def is_nothing(self) -> bool:
        """True where no version may be returned."""
        return not self.exclude and not self.version_keys

    def admits(self, key: int) -> bool:
        """True where the chunk under `key` may be returned."""
        return (version_of(key) in self.version_keys) is not self.exclude


EVERYTHING = Scope()
"""No restriction."""


def chunk_key(version_key: int, position: int) -> int:
    """Integer under which both indexes know a chunk; never used again, as versions are not."""
    return version_key * CHUNKS_PER_VERSION + position


def version_of(key: int) -> int:
    """Version key of the chunk that `key` stands for."""
    return key // CHUNKS_PER_VERSION


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """A chunk as retrieval finds it in the metadata database.

    Attributes:
        key: Its integer in the indexes.
        chunk_id: `document:version:position`, never used again.
        document_id: Unique in its collection.
        file_id: Unique everywhere.
        filename: As it was given.
        title: The document's title, or empty.
        chunk: The piece itself.
    """

    key: int
    chunk_id: str
    document_id: str
    file_id: str
    filename: str
    title: str
    chunk: Chunk


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk found for a query.

    Attributes:
        stored: The chunk and its document.
        score: Calibrated probability in [0, 1] that it is relevant; comparable between queries and strategies,
            and never rising down a list.
        cosine: Similarity of query and chunk in [-1, 1].
        bm25: BM25 score, 0 or more.
        fused: What the list is ranked by; comparable within one list alone.
    """

    stored: StoredChunk
    score: float
    cosine: float
    bm25: float
    fused: float


class Verdict(StrEnum):
    """How far a quote carries the words it is cited for."""

    SUPPORTED = "supported"
    PARTIAL = "partial"


class Reason(StrEnum):
    """Why an answer was refused."""

    NO_EVIDENCE = "no_evidence"
    LOW_SUPPORT = "low_support"
    GUARD_INPUT = "guard_input"
    GUARD_OUTPUT = "guard_output"


@dataclass(frozen=True, slots=True)
class Citation:
    """A checked piece of evidence.

    Attributes:
        n: The number of its mark `[n]` in the answer.
        start: Where the supported words begin in the answer.
        end: Where they end.
        mark: Where the mark `[n]` begins in the answer.
        stored: The chunk it is quoted from.
        quote: The quoted words, verbatim from the document's text.
        quote_start: Where they begin in the document's text.
        quote_end: Where they end; `text[quote_start:quote_end] == quote`.
        score: Probability in [0, 1] that the passage is relevant.
        verdict: How far the quote carries the words.
    """

    n: int
    start: int
    end: int
    mark: int
    stored: StoredChunk
    quote: str
    quote_start: int
    quote_end: int
    score: float
    verdict: Verdict

    def __post_init__(self) -> None:
        if not (self.quote and self.quote_end - self.quote_start == len(self.quote)):
            raise InvalidRequest(f"citation {self.n} quotes {self.quote!r} over {self.quote_start}:{self.quote_end}")


@dataclass(frozen=True, slots=True)
class AgentStep:
    """Something that the agent did on its way to an answer.

    Attributes:
        action: What.
        query: Of a search: its words.
        hits: Of a search: how many passages it found.
        by: Of a plan: the model, or `rules`.
        queries: Of a plan: how many searches it asked for.
        note: Of a plan: why it is not the model's.
        p_supported: Of a judgement: how probable it is that what was found by then answers the question.
    """

    action: Literal["plan", "search", "judge"]
    query: str | None = None
    hits: int | None = None
    by: str | None = None
    queries: int | None = None
    note: str | None = None
    p_supported: float | None = None


@dataclass(frozen=True, slots=True)
class GuardReport:
    """What the guard found and did on the way to an answer.

    Attributes:
        findings: In the question: `injection`, kinds of personal data, `language`.
        withheld: Passages in which an injection was found, and that were blanked there, demoted or dropped.
        dropped: Sentences that their sources did not support.
        redacted: Pieces of personal data taken out of the answer.
        replaced: Whether the model's answer was replaced by quotes.
    """

    findings: tuple[str, ...] = ()
    withheld: int = 0
    dropped: int = 0
    redacted: int = 0
    replaced: bool = False


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an answer was made with; stands on every answer.

    Attributes:
        release: Content hash of everything the answer depends on, `r-...`.
        collection_version: Counts the visible changes of the collection.
        trace_id: 32 hexadecimal digits.
        model: The generator that answered.
        route: Why that one.
        cache: `hit`, `miss` or `off`.
        prompt_tokens: As the served model counts them.
        completion_tokens: The same for the answer.
        cost_usd: What the models cost that had a hand in it; None where nobody knows of one of them.
        timings_ms: Milliseconds by stage, and `total`.
        dropped_citations: How many citations the server could not verify and dropped.
        question: The standalone question that was searched; empty where it was the caller's own words.
        condensed_by: What made it stand alone: a model's name, or `rules`.
        steps: What the agent did; empty where none was asked.
        guard: What the guard found and did; None where nothing.
    """

    release: str
    collection_version: int
    trace_id: str
    model: str
    cache: str = "off"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float | None = 0.0
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    dropped_citations: int = 0
    route: str = ""
    question: str = ""
    condensed_by: str = ""
    steps: tuple[AgentStep, ...] = ()
    guard: GuardReport | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, or a refusal, which is an answer too.

    Attributes:
        content: The words, with their marks `[n]`.
        citations: One for each mark, in order of `start`; empty for a refusal.
        refused: True where the evidence did not carry an answer.
        reason: Why it was refused, or None.
        p_supported: Probability in [0, 1] that the collection answers the question.
        finish_reason: `stop`, or `length` where the caller's token limit cut it.
        receipt: What it was made with.
    """

    content: str
    citations: tuple[Citation, ...]
    refused: bool
    reason: Reason | None
    p_supported: float
    finish_reason: Literal["stop", "length"]
    receipt: Receipt
