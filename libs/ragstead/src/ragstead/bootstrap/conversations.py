"""What remembers: the store of conversations, and the model that reads them, if any does."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack

from ragstead.bootstrap.chat_models import chat_models
from ragstead.bootstrap.generation import PROMPTS, open_breaker, open_chat_model
from ragstead.bootstrap.routing import EXTRACTIVE, open_routing
from ragstead.pipelines.dialogue import DialogueModel
from ragstead.pipelines.recall import Memory
from ragstead.ports.conversations import ConversationTurns
from ragstead.prompting import DIALOGUE_SLOTS, DialogueTemplate, read_dialogue_template
from ragstead.settings import Settings

_FOLDER = "conversation"


def open_memory(
    settings: Settings, templates: Mapping[str, DialogueTemplate], turns: ConversationTurns, stack: AsyncExitStack
) -> Memory:
    """Return what condenses and recalls; what is to be closed goes on `stack`.

    Args:
        settings: Which model, and how much it reads.
        templates: What it is asked with.
        turns: Where conversations are kept.
        stack: Closed when nothing more is remembered.

    Raises:
        ConfigurationError: If the model is not described.
    """
    models = chat_models(settings)
    name = dialogue_model_name(settings)
    rooms = [models[one].context_tokens // 4 for one in open_routing(settings).names]
    budget = min([settings.pipeline.conversation.max_history_tokens, *rooms])
    if name is None:
        return Memory(None, budget, turns)
    model = DialogueModel(
        open_chat_model(settings, name, "pipeline.conversation.model", stack),
        templates,
        open_breaker(settings),
        settings.pipeline.conversation.patience_s,
        models[name].hosted,
    )
    return Memory(model, budget, turns)


def dialogue_model_name(settings: Settings) -> str | None:
    """Return the model that reads conversations; None where the rules do."""
    name = settings.pipeline.conversation.model or settings.pipeline.answer.generator
    return None if name == EXTRACTIVE else name


def dialogue_templates(settings: Settings) -> dict[str, DialogueTemplate]:
    """Return the templates that it is asked with: of the user's folder, or those that come with us.

    Raises:
        ConfigurationError: If one is off.
    """
    own = settings.deployment.generation.prompts_dir
    places = [place / _FOLDER for place in (own, PROMPTS) if place is not None]
    files = {name: [place / f"{name}.yaml" for place in places] for name in DIALOGUE_SLOTS}
    return {
        name: read_dialogue_template(next((file for file in found if file.is_file()), found[-1]))
        for name, found in files.items()
    }
