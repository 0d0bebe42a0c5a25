"""What writes answers: the configured model, those in its place, and last the extractive generator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from ragstead.adapters.extractive import ExtractiveGenerator
from ragstead.bootstrap.chat_models import chat_models
from ragstead.bootstrap.routing import check_described, open_routing, open_shadow
from ragstead.errors import ConfigurationError
from ragstead.pipelines.bare_guard import DoorGuard
from ragstead.pipelines.bare_models import BareModel, BareModelPlan
from ragstead.pipelines.costs import CostBook, Price, PricedChatModel
from ragstead.pipelines.generate import PromptedGenerator, PromptPlan
from ragstead.pipelines.route import CircuitBreaker, Route, RoutedGenerator
from ragstead.pipelines.traced.writing import TracedChatModel
from ragstead.ports.chat_model import ChatModel
from ragstead.ports.embedder import TokenCounter
from ragstead.ports.generator import Generator
from ragstead.ports.model_relay import ModelRelay
from ragstead.ports.tracer import Tracer
from ragstead.prompting import PromptTemplate, read_template
from ragstead.settings import ChatModelSettings, Settings, resolve_secret

if TYPE_CHECKING:
    from ragstead.adapters.openai_api import ChatEndpoint

PROMPTS = Path(str(resources.files("ragstead.prompting"))) / "prompts"
"""The templates that come with us."""


def open_generator(
    settings: Settings, counter: TokenCounter, templates: Mapping[str, PromptTemplate], stack: AsyncExitStack
) -> Generator:
    """Return what writes answers; what is to be closed goes on `stack`.

    Args:
        settings: Which models, in which order.
        counter: Counts tokens for the extractive generator.
        templates: The prompt templates there are.
        stack: Closed when no more answers are written.

    Raises:
        ConfigurationError: If a model is not described, a template is not there, or a secret's reference leads nowhere.
    """
    answer, routing = settings.pipeline.answer, open_routing(settings)
    last = ExtractiveGenerator(counter)
    if not routing.names:
        return last
    plan = PromptPlan(prompt_template(settings, templates), answer.max_tokens, answer.temperature, templates)
    routes = [_route(settings, name, plan, stack) for name in routing.names]
    shadow = open_shadow(settings, stack) if routing.copies else None
    return RoutedGenerator([*routes, Route(last, open_breaker(settings), quotes=True)], routing.plan, shadow)


def prompt_template(settings: Settings, known: Mapping[str, PromptTemplate]) -> PromptTemplate:
    """Return the configured template of those there are.

    Raises:
        ConfigurationError: If it is none of them.
    """
    name = settings.pipeline.answer.prompt
    if name not in known:
        raise ConfigurationError(
            f"there is no prompt template {name!r}; there are {', '.join(known)}", param="pipeline.answer.prompt"
        )
    return known[name]


def prompt_templates(settings: Settings) -> dict[str, PromptTemplate]:
    """Return every template that a request may name: those that come with us, and those of the user's folder.

    Raises:
        ConfigurationError: If one is off.
    """
    folder = settings.deployment.generation.prompts_dir
    files = {path.stem: path for place in (PROMPTS, folder) if place is not None for path in place.glob("*.yaml")}
    return {name: read_template(files[name]) for name in sorted(files)}


def open_bare_models(
    settings: Settings, door: Callable[[], DoorGuard | None], tracer: Tracer, book: CostBook, stack: AsyncExitStack
) -> dict[str, BareModel]:
    """Return the models that a request may name; what is to be closed goes on `stack`.

    Args:
        settings: Describe them.
        door: Returns what guards them, where the settings want that.
        tracer: Takes a trace of each call.
        book: Where their costs are booked.
        stack: Closed when no more requests are passed on.

    Raises:
        ConfigurationError: If a secret's reference leads nowhere, or a profile is not there or off.
    """
    given, models = settings.deployment.generation.bare_models, settings.deployment.generation.models
    plan = BareModelPlan(
        (lambda: None) if given.guard == "off" else door,
        given.guard == "both",
        given.max_user_chars,
        tracer,
        book=book,
    )
    return {
        name: BareModel(relay, replace(plan, price=price_of(models[name])))
        for name, relay in open_relays(settings, stack).items()
    }


def open_relays(settings: Settings, stack: AsyncExitStack) -> dict[str, ModelRelay]:
    """Return what passes requests on, for each model that a request may name; what is to be closed goes on `stack`.

    Base models without a chat template are none of them.

    Raises:
        ConfigurationError: If a secret's reference leads nowhere, or a profile is not there or off.
    """
    described = chat_models(settings)
    chat = {name: given for name, given in described.items() if given.api == "chat" or "chat" in given.can}
    if not chat:
        return {}
    from ragstead.adapters.openai_api import OpenAiRelay  # noqa: PLC0415  (aiohttp, when it is needed)

    relays: dict[str, ModelRelay] = {}
    for name, given in chat.items():
        able = {feature: feature in given.can for feature in ("tools", "response_format", "logprobs", "n")}
        relay = OpenAiRelay(_endpoint(name, given), name=name, capabilities={"chat": True, "stream": True, **able})
        stack.push_async_callback(relay.close)
        relays[name] = relay
    return relays


def open_chat_model(settings: Settings, name: str, param: str, stack: AsyncExitStack) -> ChatModel:
    """Return one of `deployment.generation.models`; closing it goes on `stack`.

    Args:
        settings: Describe it.
        name: What they call it.
        param: The setting that names it, for the error.
        stack: Closed when it is no longer asked.

    Raises:
        ConfigurationError: If it is not described, or a secret's reference leads nowhere.
    """
    from ragstead.adapters.openai_api import OpenAiChatModel  # noqa: PLC0415  (aiohttp, when it is needed)

    check_described(settings, [name], param)
    models = chat_models(settings)
    asked = OpenAiChatModel(_endpoint(name, models[name]), name=name)
    stack.push_async_callback(asked.close)
    model = PricedChatModel(asked, price_of(models[name]))
    return TracedChatModel(model) if settings.deployment.tracing.is_on else model


def price_of(given: ChatModelSettings) -> Price | None:
    """Return what a model's tokens cost, where the settings say so."""
    price = given.price
    return None if price is None else Price(price.input_usd_per_million, price.output_usd_per_million)


def _route(settings: Settings, name: str, plan: PromptPlan, stack: AsyncExitStack) -> Route:
    model = open_chat_model(settings, name, "pipeline.answer", stack)
    hosted = settings.deployment.generation.models[name].hosted
    return Route(PromptedGenerator(model, plan), open_breaker(settings), hosted)


def _endpoint(name: str, given: ChatModelSettings) -> ChatEndpoint:
    from ragstead.adapters.openai_api import ChatEndpoint  # noqa: PLC0415  (aiohttp, when it is needed)

    return ChatEndpoint(
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


def open_breaker(settings: Settings) -> CircuitBreaker:
    """Return a breaker for one model."""
    generation = settings.deployment.generation
    return CircuitBreaker(generation.breaker_failures, generation.breaker_open_s)
