"""Every error that leaves the library.

    RagsteadError
    ├── InvalidRequest          the caller's words are off (HTTP 400, exit 2)
    │   └── ConfigurationError  the configuration file is off (exit 2)
    ├── NotFound                a collection, document, file or model that is not there (404)
    ├── Forbidden               a caller or a Host that may not (403)
    ├── Unauthenticated         a missing or wrong API key (401)
    ├── Conflict                the name is taken, or the state does not allow it (409)
    ├── GateRefused             a release that the quality gate refused, or has not seen (409, exit 3)
    ├── TooLarge                a body, file or question over its limit (413)
    ├── Overloaded              a queue is full; come back later (429, exit 4)
    ├── Unavailable             a part that is needed is down (503, exit 4)
    │   └── StoreInUse          another process owns the data directory (503, exit 4)
    ├── UnreadableDocument      a file that can't be parsed; ends in state `failed`
    └── IndexMismatch           an index was built by another embedder or analysis (500, exit 1)

Messages say what, which value and what to do, in one line, for the person who reads them.
"""


class RagsteadError(Exception):
    """Is the root of the tree; never raised itself."""


class InvalidRequest(RagsteadError):
    """Raised where a value the caller gave can't be used.

    Attributes:
        param: The name of the offending field as the caller wrote it, or None.
        code: A machine-readable code as OpenAI's errors carry, or None.
    """

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.param = param
        self.code = code


class ConfigurationError(InvalidRequest):
    """Raised where the configuration file does not parse or asks for what this build can't do."""


class NotFound(RagsteadError):
    """Raised where a named thing does not exist.

    Attributes:
        kind: What was looked for: `collection`, `document`, `file`, `model`...
        name: The name or id that was asked for.
    """

    def __init__(self, kind: str, name: str, hint: str = "") -> None:
        super().__init__(f"no {kind} named {name!r}" + (f"; {hint}" if hint else ""))
        self.kind = kind
        self.name = name


class Forbidden(RagsteadError):
    """Raised where the caller is known, or unknowable, and may not do this."""


class Unauthenticated(RagsteadError):
    """Raised where API keys are configured and the caller brought none that fits."""


class Conflict(RagsteadError):
    """Raised where the present state does not allow the request, such as a name that is taken."""


class GateRefused(RagsteadError):
    """Raised where a release is to go live and the quality gate refused it, or has not seen it."""


class TooLarge(RagsteadError):
    """Raised where a body, a file or a question is over its limit."""


class Overloaded(RagsteadError):
    """Raised where a bounded queue is full.

    Attributes:
        retry_after_s: Seconds after which trying again makes sense.
    """

    def __init__(self, message: str, *, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Unavailable(RagsteadError):
    """Raised where a part that the request needs is down or can't be reached.

    Attributes:
        dependency: The part's name as readiness shows it: `vectors`, `metadata`...
        retry_after_s: Seconds after which trying again makes sense.
    """

    def __init__(self, dependency: str, message: str, *, retry_after_s: float = 5.0) -> None:
        super().__init__(message)
        self.dependency = dependency
        self.retry_after_s = retry_after_s


class StoreInUse(Unavailable):
    """Raised where another process holds the data directory and can't be reached over HTTP."""

    def __init__(self, message: str) -> None:
        super().__init__("data_dir", message)


class UnreadableDocument(RagsteadError):
    """Raised by a loader for a file that is encrypted, damaged, of no known type or over a limit."""


class IndexMismatch(RagsteadError):
    """Raised where an index was built by another embedder, chunker or analysis than the one that runs."""
