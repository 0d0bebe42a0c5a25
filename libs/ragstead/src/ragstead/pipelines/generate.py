"""Evidence to an answer by a language model: a prompt that fits, and the model's words."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import partial

from ragstead.pipelines.traced.contents import messages_content
from ragstead.ports.chat_model import ChatModel, ChatRequest
from ragstead.ports.generator import GenerationRequest, Piece
from ragstead.prompting import Prompt, PromptTemplate, fitting, passages_of, write_prompt
from ragstead.streams import closing
from ragstead.token_estimates import TOKENS_A_TURN_AT_MOST
from ragstead.tracing import span


@dataclass(frozen=True, slots=True)
class PromptPlan:
    """How a model is asked.

    Attributes:
        template: The words around evidence and question.
        max_tokens: Of an answer, where the caller names no number.
        temperature: The same; 0: the likeliest words, the same each time.
        named: Templates that a request may name instead.
    """

    template: PromptTemplate
    max_tokens: int
    temperature: float
    named: Mapping[str, PromptTemplate] = field(default_factory=dict)

    def template_of(self, request: GenerationRequest) -> PromptTemplate:
        """Return the template that a request is to be written with."""
        return self.template if request.template is None else self.named[request.template]


class PromptedGenerator:
    """Is a `Generator` on a chat model.

    Args:
        model: What writes.
        plan: How it is asked.
    """

    def __init__(self, model: ChatModel, plan: PromptPlan) -> None:
        self._model = model
        self._plan = plan

    @property
    def name(self) -> str:
        """The model's name."""
        return self._model.name

    async def generate(self, request: GenerationRequest) -> AsyncIterator[Piece]:
        """Yield the model's answer as it comes.

        Raises:
            InvalidRequest: While iterated, if conversation and best passage are over the model's length together.
            Overloaded: If the model has too much to do.
            Unavailable: If it can't be reached, or breaks off.
        """
        given, template = request.sampling, self._plan.template_of(request)
        answer_tokens = given.max_tokens or template.max_tokens or self._plan.max_tokens
        sampling = replace(
            given,
            max_tokens=answer_tokens,
            temperature=self._plan.temperature if given.temperature is None else given.temperature,
        )
        with span("prompt") as step:
            prompt = await self._prompt(request, template, answer_tokens)
            if step is not None:
                step.output = partial(messages_content, prompt.messages)
                step.facts |= {"template": request.template or "configured", "passages": prompt.passages}
        async with aclosing(closing(self._model.chat(ChatRequest(prompt.messages, sampling)))) as pieces:
            async for piece in pieces:
                yield piece

    async def _prompt(self, request: GenerationRequest, template: PromptTemplate, answer_tokens: int) -> Prompt:
        """Write the prompt with as many of the best passages as fit."""
        earlier = request.messages[:-1]
        passages = passages_of(template, request.passages)
        bare = write_prompt(template, [], request.question, earlier)
        spoken = "\n".join(one.content for one in bare.messages)
        base, *sizes = await self._model.count([spoken, *passages])
        turns = TOKENS_A_TURN_AT_MOST * len(bare.messages)
        room = self._model.context_tokens - answer_tokens - base - turns
        return write_prompt(template, passages[: fitting(sizes, room)], request.question, earlier)
