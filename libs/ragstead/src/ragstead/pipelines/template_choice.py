"""Which prompt templates a request may name."""

from __future__ import annotations

from dataclasses import dataclass

from ragstead.errors import InvalidRequest
from ragstead.model import Reason

ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class TemplateChoice:
    """The templates there are.

    Attributes:
        names: All of them.
        default: The one that answers are written with where a request names none.
        topical: Those that need evidence on the topic alone, not an answer in it: a summary, a report.
        written: Whether a model writes answers; quotes follow no template.
    """

    names: tuple[str, ...] = (ANSWER,)
    default: str = ANSWER
    topical: frozenset[str] = frozenset()
    written: bool = False

    def pick(self, name: str | None) -> str | None:
        """Return the template that a request names; None for the default one.

        Raises:
            InvalidRequest: If there is none of that name, or it needs a model and none is configured.
        """
        if name is None or name == self.default:
            return None
        if name not in self.names:
            what = f"rag.template: there is no template {name!r:.80}; there are {', '.join(self.names)}"
            raise InvalidRequest(what, param="rag.template", code="invalid_value")
        if self.written:
            return name
        if name == ANSWER:
            return None
        what = (
            f"rag.template: {name!r} needs a model, and answers here are quotes; configure one as "
            "pipeline.answer.generator, or leave the template out"
        )
        raise InvalidRequest(what, param="rag.template", code="unsupported_parameter")

    def tolerates(self, template: str | None, reason: Reason | None) -> bool:
        """Return whether evidence that gives this reason to refuse will do: topical templates want the topic alone."""
        return reason is Reason.LOW_SUPPORT and (template or self.default) in self.topical
