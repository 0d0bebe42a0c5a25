"""The language models that may write answers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from ragstead.settings.section import SecretReference, Section


class PriceSettings(Section):
    """What a model's tokens cost."""

    input_usd_per_million: float = Field(ge=0)
    """Dollars for a million tokens that it reads."""
    output_usd_per_million: float = Field(ge=0)
    """The same for those that it writes."""


class ChatModelSettings(Section):
    """A language model at a server of OpenAI's API: vLLM, Ollama, or a hosted one."""

    base_url: str = Field(pattern="^https?://")
    """Up to the version: `http://127.0.0.1:8000/v1`."""
    profile: str | None = None
    """The profile that its server was started with; `model`, `api`, `context_tokens`, `can` and `counts_tokens` are
    taken from it where they are not given here."""
    model: str | None = None
    """The model's name there. Null: the name that it has here."""
    api_key: SecretReference | None = None
    api: Literal["chat", "completions"] = "chat"
    """`completions`: a base model without a chat template, such as GPT-NeoX; the conversation becomes a transcript."""
    hosted: bool = False
    """Evidence leaves this house: only for collections that say `egress: allow`."""
    context_tokens: int = Field(4096, ge=256)
    """Tokens of prompt and answer together. Higher: more evidence and conversation fit."""
    can: tuple[Literal["chat", "tools", "response_format", "logprobs", "n"], ...] = ()
    """What it can do beyond words when a request names it; asked for anything else of these, we answer 400.
    `chat`: a base model (`api: completions`) may be named too, as its server has a chat template for it."""
    counts_tokens: bool = False
    """The server counts tokens at `/tokenize`, as vLLM does. False: they are estimated, rather too many."""
    price: PriceSettings | None = None
    """Of its tokens, so that receipts, traces and metrics tell what it cost. Null: nobody knows, none of them does."""
    connect_s: float = Field(2, gt=0)
    first_token_s: float = Field(30, gt=0)
    """Seconds of silence before the first token. Higher: more patience with a full queue, a later fallback."""
    between_tokens_s: float = Field(10, gt=0)
    total_s: float = Field(300, gt=0)


class BareModelSettings(Section):
    """Requests that name a model, and are passed on to it."""

    guard: Literal["both", "questions", "off"] = "both"
    """By the policies of `pipeline.guard`: what users wrote is judged before it is passed on, and personal data taken
    out of what comes back; the first alone; or neither."""
    injection: Literal["off", "flag", "refuse"] = "flag"
    """What users wrote that instructs the model, in place of `pipeline.guard.injection`: a model is there to be
    instructed, and nobody else's words are before it. `flag` notes it on the trace, `refuse` passes none of it on."""
    max_user_chars: int = Field(1_000_000, ge=1)
    """Of all that users wrote in a request, as all of it is judged. Higher: longer texts, more work for each."""

    @field_validator("guard", "injection", mode="before")
    @classmethod
    def _off(cls, given: object) -> object:
        """Return `off` for what YAML makes of the bare word."""
        return "off" if given is False else given


class VllmSettings(Section):
    """`ragstead serve generation`: a vLLM of our own, in an environment of its own."""

    python: Path = Path(".generation/bin/python")
    """Of that environment, which `scripts/generation_env.py` makes."""
    port: int = Field(8000, ge=1, le=65535)
    api_key: SecretReference | None = None
    """Asked of those who call it under `/v1`; its other paths stay open. Needed where the host is not loopback."""
    ready_s: float = Field(1800, gt=0)
    """Seconds for loading a model, and for fetching it the first time."""


class GenerationSettings(Section):
    """The models that may write answers."""

    models: Mapping[str, ChatModelSettings] = {}
    bare_models: BareModelSettings = BareModelSettings()
    vllm: VllmSettings = VllmSettings()
    profiles_dir: Path | None = None
    """Folder of model profiles of your own, `NAME.yaml`; looked at before those that come with us."""
    prompts_dir: Path | None = None
    """Folder of prompt templates of your own, `NAME.yaml`; looked at before those that come with us."""
    routing: Path | None = None
    """File of rules for who answers, such as `configs/routing.yaml`. Null: always `pipeline.answer.generator`."""
    shadows: int = Field(4, ge=1)
    """Copies on their way to shadow models at once; more are left out."""
    shadow_log_bytes: int = Field(64 << 20, ge=1024)
    """Of the answers kept for comparison, in `shadow.jsonl` of the data directory; as much again of older ones."""
    breaker_failures: int = Field(3, ge=1)
    """Failures in a row after which a model is left alone. Higher: more questions wait for one that is down."""
    breaker_open_s: float = Field(10, gt=0)
    """Seconds for which it is; then one question tries it."""

    @field_validator("models", mode="after")
    @classmethod
    def _own_names(cls, given: Mapping[str, ChatModelSettings]) -> Mapping[str, ChatModelSettings]:
        taken = {"extractive", "ragstead", "ragstead-agent", "rules"} & given.keys()
        if taken:
            raise ValueError(f"{sorted(taken)[0]!r} is a name of ours; call the model something else")
        return given
