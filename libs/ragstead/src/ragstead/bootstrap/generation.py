"""What writes answers: the configured model, those in its place, and last the extractive generator."""

from __future__ import annotations

from contextlib import AsyncExitStack
from importlib import resources
from pathlib import Path

from ragstead.adapters.extractive import ExtractiveGenerator
from ragstead.errors import ConfigurationError
from ragstead.pipelines.generate import PromptedGenerator, PromptPlan
from ragstead.pipelines.route import CircuitBreaker, Route, RoutedGenerator
from ragstead.ports.embedder import TokenCounter
from ragstead.ports.generator import Generator
from ragstead.prompting import PromptTemplate, read_template
from ragstead.settings import Settings, resolve_secret

EXTRACTIVE = "extractive"


def open_generator(settings: Settings, counter: TokenCounter, stack: AsyncExitStack) -> Generator:
    """Return what writes answers; what is to be closed goes on `stack`.

    Args:
        settings: Which models, in which order.
        counter: Counts tokens for the extractive generator.
        stack: Closed when no more answers are written.

    Raises:
        ConfigurationError: If a model is not described, a template is not there, or a secret's reference leads nowhere.
    """
    answer = settings.pipeline.answer
    last = ExtractiveGenerator(counter)
    names = [name for name in dict.fromkeys([answer.generator, *answer.fallbacks]) if name != EXTRACTIVE]
    if answer.generator == EXTRACTIVE:
        if names:
            raise ConfigurationError(
                f"the extractive generator needs no fallbacks: {', '.join(names)}", param="pipeline.answer.fallbacks"
            )
        return last
    plan = PromptPlan(prompt_template(settings), answer.max_tokens, answer.temperature)
    routes = [_route(settings, name, plan, stack) for name in names]
    return RoutedGenerator([*routes, Route(last, _breaker(settings))])


def prompt_template(settings: Settings) -> PromptTemplate:
    """Return the configured template: of the user's folder, or one that comes with us.

    Raises:
        ConfigurationError: If it is in neither, or is off.
    """
    name, folder = settings.pipeline.answer.prompt, settings.deployment.generation.prompts_dir
    ours = Path(str(resources.files("ragstead.prompting"))) / "prompts"
    for place in (folder, ours):
        if place is not None and (place / f"{name}.yaml").is_file():
            return read_template(place / f"{name}.yaml")
    known = sorted(path.stem for path in ours.glob("*.yaml"))
    raise ConfigurationError(
        f"there is no prompt template {name!r}; there are {', '.join(known)}", param="pipeline.answer.prompt"
    )


def _route(settings: Settings, name: str, plan: PromptPlan, stack: AsyncExitStack) -> Route:
    from ragstead.adapters.openai_api import ChatEndpoint, OpenAiChatModel  # noqa: PLC0415  (httpx, when it is needed)

    models = settings.deployment.generation.models
    if name not in models:
        known = ", ".join([EXTRACTIVE, *models])
        raise ConfigurationError(
            f"{name!r} is none of {known}; describe it in deployment.generation.models", param="pipeline.answer"
        )
    given = models[name]
    endpoint = ChatEndpoint(
        given.base_url,
        given.model or name,
        resolve_secret(given.api_key) if given.api_key else None,
        given.api,
        given.context_tokens,
        given.connect_s,
        given.first_token_s,
        given.between_tokens_s,
        given.total_s,
        counts_tokens=given.counts_tokens,
    )
    model = OpenAiChatModel(endpoint, name=name)
    stack.push_async_callback(model.close)
    return Route(PromptedGenerator(model, plan), _breaker(settings), given.hosted)


def _breaker(settings: Settings) -> CircuitBreaker:
    generation = settings.deployment.generation
    return CircuitBreaker(generation.breaker_failures, generation.breaker_open_s)
