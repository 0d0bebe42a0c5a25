"""A real vLLM behind the real gateway: a Llama of two layers whose words mean nothing; what surrounds them is tested.

One server for all tests of this file, in their order; the last one kills it. A GPT-NeoX follows.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, aclosing
from dataclasses import dataclass
from pathlib import Path

import httpx
import openai
import pytest
import yaml
from langchain_openai import ChatOpenAI

from integration.generation_process import (
    ENVIRONMENT,
    Running,
    alive,
    children_of,
    environ,
    needed_environment,
    running,
    tiny_model,
    write_settings,
)
from ragstead.adapters.openai_api import ChatEndpoint, OpenAiChatModel
from ragstead.errors import InvalidRequest
from ragstead.model_profiles import read_profile
from ragstead.ports.chat_model import ChatRequest
from ragstead.ports.generator import Message, Piece, Sampling

pytestmark = [pytest.mark.slow]

HELLO = [{"role": "user", "content": "Say something."}]
LONG = 30_000
"""Tokens that take seconds: time enough to hang up, to count and to kill."""
PATIENCE = {"first_token_s": 60, "between_tokens_s": 60}
"""On a machine that has much else to do a model may be slow; what is silent for too long is tested elsewhere."""
CITY = {
    "type": "object",
    "properties": {"city": {"enum": ["Oslo", "Rome"]}, "rain": {"type": "boolean"}},
    "required": ["city", "rain"],
    "additionalProperties": False,
}
HARBOUR = (
    "The tide turns at noon. The harbour closes at six in the evening, and boats wait outside until the morning. "
    "The harbour master keeps the key of the tide gate. The tide gate was built of oak in 1821. "
    "A boat that comes at high tide pays no dues to the harbour. "
)
EVIDENCE = {"rag": {"collection": "default"}}


@dataclass(frozen=True)
class Up:
    """vLLM, the gateway before it, and OpenAI's client of the gateway."""

    vllm: Running
    gateway: Running
    client: openai.OpenAI

    def ask(self, **more: object):
        return self.client.chat.completions.create(
            **{"model": "tiny", "messages": HELLO, "temperature": 0, "max_tokens": 16, **more}
        )

    def settle(self, wanted: Callable[[], bool], *, seconds: float = 60) -> None:
        """Wait until something is so."""
        deadline = time.monotonic() + seconds
        while not wanted():
            assert time.monotonic() < deadline
            time.sleep(0.02)

    @property
    def at_work(self) -> float:
        return self.vllm.metric("vllm:num_requests_running")

    @property
    def tokens(self) -> float:
        """Written by vLLM so far."""
        return self.vllm.metric("vllm:generation_tokens_total")


def start(stack: ExitStack, folder: Path, family: str, profile: str, **generation: object) -> Up:
    """Make a model, serve it by the profile, and put a gateway before it whose setting names the same profile."""
    model = tiny_model(family, folder / "model")
    settings = write_settings(folder, **generation)
    words = ["generation", "--profile", profile, "--model", model, "--port", "0", "--config", settings]
    vllm = stack.enter_context(running(words, folder / "vllm.log"))
    models = {"tiny": {"base_url": f"{vllm.url}/v1", "profile": profile, **PATIENCE}}
    write_settings(folder, pipeline={"answer": {"generator": "tiny", "max_tokens": 48}}, models=models, **generation)
    words = ["gateway", "--port", "0", "--config", settings, "--data-dir", folder / "data"]
    gateway = stack.enter_context(running(words, folder / "gateway.log"))
    client = stack.enter_context(openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="none", max_retries=0, timeout=90))
    put_in(gateway, client)
    return Up(vllm, gateway, client)


def put_in(gateway: Running, client: openai.OpenAI) -> None:
    """Ingest a text that fills several of vLLM's blocks."""
    text = "".join(f"{HARBOUR}Berth {n} lies {n * 7} metres from the gate.\n\n" for n in range(1, 7))
    body = {"documents": [{"document_id": "harbour", "text": text}]}
    client.vector_stores.create(name="default")
    httpx.post(f"{gateway.url}/v1/vector_stores/default/documents", json=body, timeout=60).raise_for_status()
    deadline = time.monotonic() + 60
    while client.vector_stores.retrieve("default").file_counts.completed < 1:
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    needed_environment()
    with ExitStack() as stack:
        yield start(stack, tmp_path_factory.mktemp("llama"), "llama", "cpu-tiny")


def test_readiness_came_after_health_and_vllm_reports_to_nobody(up: Up) -> None:
    assert httpx.get(f"{up.vllm.url}/health").status_code == 200
    (server,) = [pid for pid in children_of(up.vllm.process.pid) if b"api_server" in cmdline(pid)]
    variables = Path(f"/proc/{server}/environ").read_bytes().split(b"\0")
    assert {b"VLLM_NO_USAGE_STATS=1", b"DO_NOT_TRACK=1"} <= set(variables)


def cmdline(pid: int) -> bytes:
    """The words of a process; empty once it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_models_say_what_the_profile_says(up: Up) -> None:
    able = up.client.models.retrieve("tiny").capabilities
    assert able == {"chat": True, "stream": True, "tools": True, "response_format": True, "logprobs": True, "n": True}


def test_chat_is_answered_with_usage_as_vllm_counts_it(up: Up) -> None:
    answer = up.ask()
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == 16
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 16
    assert answer.model == "cpu-tiny"


def test_stream_says_the_same_and_ends_with_the_usage(up: Up) -> None:
    whole = up.ask()
    chunks = list(up.ask(stream=True, stream_options={"include_usage": True}))
    words = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(words) == whole.choices[0].message.content
    assert len([word for word in words if word]) > 8
    assert chunks[-1].usage == whole.usage


def test_stop_words_end_the_answer_before_them(up: Up) -> None:
    said = up.ask(max_tokens=48).choices[0].message.content
    stop = said[10:13]
    answer = up.ask(max_tokens=48, stop=[stop])
    assert answer.choices[0].message.content == said[: said.index(stop)]
    assert answer.choices[0].finish_reason == "stop"


def test_seed_repeats_what_is_drawn(up: Up) -> None:
    first, again, other = (
        up.ask(temperature=1.0, seed=seed, max_tokens=24).choices[0].message.content for seed in (5, 5, 6)
    )
    assert first == again != other


@pytest.mark.parametrize("stream", [False, True])
def test_json_schema_binds_the_answer(up: Up, stream: bool) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "weather", "schema": CITY, "strict": True}}
    answer = up.ask(max_tokens=400, response_format=form, stream=stream, temperature=1.0, seed=1)
    if stream:
        said = "".join(chunk.choices[0].delta.content or "" for chunk in answer if chunk.choices)
    else:
        said = answer.choices[0].message.content
    view = json.loads(said)
    assert view["city"] in ("Oslo", "Rome")
    assert isinstance(view["rain"], bool)


def test_tool_that_is_demanded_is_called(up: Up) -> None:
    tool = {"type": "function", "function": {"name": "weather", "parameters": CITY}}
    answer = up.ask(max_tokens=400, tools=[tool], tool_choice={"type": "function", "function": {"name": "weather"}})
    (call,) = answer.choices[0].message.tool_calls
    assert call.function.name == "weather"


def test_logprobs_and_several_choices_are_given(up: Up) -> None:
    answer = up.ask(max_tokens=4, n=2, logprobs=True, temperature=1.0, seed=2)
    assert len(answer.choices) == 2
    assert all(len(choice.logprobs.content) == 4 for choice in answer.choices)


def test_prompt_over_the_context_is_the_callers_fault_in_vllms_words(up: Up) -> None:
    with pytest.raises(openai.BadRequestError, match="32768"):
        up.ask(messages=[{"role": "user", "content": "tide " * 40_000}])


def model_of(up: Up) -> OpenAiChatModel:
    endpoint = ChatEndpoint(f"{up.vllm.url}/v1", "cpu-tiny", context_tokens=32_768, counts_tokens=True)
    return OpenAiChatModel(endpoint, name="tiny")


def test_adapter_reads_vllms_stream_and_counts_with_its_tokenizer(up: Up) -> None:
    async def run() -> tuple[list[Piece], list[int]]:
        model = model_of(up)
        request = ChatRequest((Message("user", "Say something."),), Sampling(max_tokens=12, temperature=0))
        try:
            return [piece async for piece in model.chat(request)], await model.count(["the tide", "", "中文"])
        finally:
            await model.close()

    pieces, counted = asyncio.run(run())
    assert "".join(piece.text for piece in pieces) == up.ask(max_tokens=12).choices[0].message.content
    assert (pieces[-1].finish_reason, pieces[-1].completion_tokens) == ("length", 12)
    assert counted[1] == 0
    assert min(counted[0], counted[2]) > 1


def test_adapter_says_that_the_conversation_is_too_long(up: Up) -> None:
    async def run() -> None:
        model = model_of(up)
        try:
            async for _ in model.chat(ChatRequest((Message("user", "tide " * 40_000),))):
                pass
        finally:
            await model.close()

    with pytest.raises(InvalidRequest, match="32768"):
        asyncio.run(run())


def test_adapter_that_hangs_up_frees_the_server(up: Up) -> None:
    before = up.tokens

    async def run() -> None:
        model = model_of(up)
        request = ChatRequest((Message("user", "Say something."),), Sampling(max_tokens=LONG, temperature=0))
        async with aclosing(model.chat(request)) as pieces:  # type: ignore[type-var]
            await anext(pieces)
            assert up.at_work == 1
        await model.close()

    asyncio.run(run())
    up.settle(lambda: up.at_work == 0)
    assert up.tokens - before < LONG


def test_client_that_hangs_up_at_the_gateway_frees_the_server(up: Up) -> None:
    before = up.tokens
    stream = up.ask(stream=True, max_tokens=LONG)
    up.settle(lambda: up.at_work == 1)
    stream.close()
    up.settle(lambda: up.at_work == 0)
    assert 0 < up.tokens - before < LONG


def test_client_that_is_tired_of_waiting_for_a_checked_sentence_frees_the_server(up: Up) -> None:
    before, hasty = up.tokens, up.client.with_options(timeout=1)
    asked = question("When does the tide turn?")
    with pytest.raises(openai.APITimeoutError):  # a stream begins with its first checked sentence
        hasty.chat.completions.create(
            model="ragstead", messages=asked, extra_body=EVIDENCE, stream=True, max_tokens=LONG
        )
    up.settle(lambda: up.at_work == 0)
    assert 0 < up.tokens - before < LONG


def question(words: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": words}]


def test_platform_asks_the_model_and_releases_none_of_its_nonsense(up: Up) -> None:
    before = up.tokens
    answer = up.ask(model="ragstead", messages=question("When does the tide turn?"), extra_body=EVIDENCE)
    assert (answer.rag["model"], answer.rag["route"]) == ("tiny", "configured")
    assert (answer.rag["refused"], answer.rag["reason"], answer.citations) == (True, "low_support", [])
    assert answer.usage.completion_tokens > 0
    assert up.tokens - before == answer.usage.completion_tokens


def test_second_question_on_the_same_evidence_finds_it_in_the_prefix_cache(up: Up) -> None:
    def counters() -> tuple[float, float]:
        return tuple(up.vllm.metric(f"vllm:prefix_cache_{what}_total") for what in ("queries", "hits"))  # type: ignore[return-value]

    def ask(words: str) -> float:
        asked, hit = counters()
        up.ask(model="ragstead", messages=question(words), extra_body=EVIDENCE, max_tokens=8)
        now_asked, now_hit = counters()
        assert now_asked > asked
        return (now_hit - hit) / (now_asked - asked)

    ask("Who keeps the key of the tide gate?")
    assert ask("Who keeps the key to the tide gate?") > 0.5


def test_more_requests_than_it_works_on_are_answered_or_told_when_to_come_back(up: Up) -> None:
    busiest, over = [0.0], threading.Event()

    def watch() -> None:
        while not over.wait(0.05):
            busiest.append(up.at_work)

    def one(_: int) -> tuple[int, int]:
        try:
            return 200, int(up.ask(max_tokens=200).usage.completion_tokens)
        except openai.APIStatusError as error:
            return error.status_code, int(error.response.headers.get("retry-after", "0"))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        with ThreadPoolExecutor(24) as pool:
            made = list(pool.map(one, range(24)))
    finally:
        over.set()
        watching.join()
    answered = [tokens for status, tokens in made if status == 200]
    assert set(answered) == {200}
    assert all(status in (429, 503) and after >= 1 for status, after in made if status != 200)
    assert 1 <= max(busiest) <= 2  # max_sequences of the profile; a busy machine may miss the moments of two


def test_langchains_chat_model_drives_it_streamed_and_not(up: Up) -> None:
    chat = ChatOpenAI(
        base_url=f"{up.gateway.url}/v1", api_key="none", model="tiny", temperature=0, max_tokens=16, max_retries=0
    )
    whole = chat.invoke("Say something.")
    assert whole.usage_metadata["output_tokens"] == 16
    pieces = list(chat.stream("Say something."))
    assert "".join(str(piece.content) for piece in pieces) == whole.content == up.ask().choices[0].message.content
    rag = ChatOpenAI(base_url=f"{up.gateway.url}/v1", api_key="none", model="ragstead", max_tokens=16, max_retries=0)
    asked = "When does the tide turn?"
    assert "".join(str(piece.content) for piece in rag.stream(asked)) == rag.invoke(asked).content


def test_every_profile_is_a_command_line_that_vllm_accepts(up: Up) -> None:
    """vLLM's own parser reads each, and knows the tool parsers and packings; the models themselves are not here."""
    import subprocess  # noqa: PLC0415

    from ragstead.model_profiles import profile_names  # noqa: PLC0415
    from ragstead_generation.command import vllm_command  # noqa: PLC0415

    commands = [
        vllm_command(read_profile(name), python="-", host="127.0.0.1", port=8000).words[3:] for name in profile_names()
    ]
    script = (
        "import json, sys\n"
        "from vllm.entrypoints.launchers.cli_args import make_arg_parser, validate_parsed_serve_args\n"
        "from vllm.utils.argparse_utils import FlexibleArgumentParser\n"
        "from vllm.tool_parsers import ToolParserManager\n"
        "parser = make_arg_parser(FlexibleArgumentParser())\n"
        "for words in json.load(sys.stdin):\n"
        "    args = parser.parse_args(words)\n"
        "    validate_parsed_serve_args(args)\n"
        "    args.tool_call_parser and ToolParserManager.get_tool_parser(args.tool_call_parser)\n"
        "    print(args.served_model_name[0], args.max_model_len, args.max_num_seqs)\n"
    )
    python = str(ENVIRONMENT / "bin" / "python")
    done = subprocess.run(
        [python, "-c", script],
        input=json.dumps(commands),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=environ(),
    )
    assert done.returncode == 0, done.stderr[-2000:]
    profiles = [read_profile(name) for name in profile_names()]
    wanted = [f"{one.served_name} {one.max_length} {one.max_sequences}" for one in profiles]
    assert [line for line in done.stdout.splitlines() if line in wanted] == wanted


def test_all_else_on_the_machine_goes_on_while_it_writes(up: Up) -> None:
    before = up.tokens
    with up.ask(stream=True, max_tokens=LONG):
        latest = max(late_s(0.05) for _ in range(100))
    assert latest < 2
    assert 0 < up.tokens - before < LONG


def late_s(asked: float) -> float:
    """Sleep and return how much later than asked the machine let us go on, in seconds."""
    began = time.monotonic()
    time.sleep(asked)
    return time.monotonic() - began - asked


def test_kill_in_mid_stream_ends_it_with_an_error_and_the_fallback_answers(up: Up) -> None:
    asked = {"model": "ragstead", "messages": question("When does the harbour close?"), "extra_body": EVIDENCE}
    bare = up.ask(stream=True, max_tokens=LONG)
    with ThreadPoolExecutor(1) as pool:
        checked = pool.submit(lambda: list(up.ask(**asked, stream=True, max_tokens=LONG)))
        up.settle(lambda: up.at_work == 2)
        everything = children_of(up.vllm.process.pid)
        (server,) = [pid for pid in everything if b"api_server" in cmdline(pid)]
        os.kill(server, signal.SIGKILL)
        with pytest.raises(openai.APIError, match="broke off"):
            list(bare)
        with pytest.raises(openai.APIError, match="broke off"):  # half an answer of one is no answer of another's
            checked.result(90)
    began = time.monotonic()
    answer = up.ask(**asked)
    assert time.monotonic() - began < 10
    assert "six in the evening" in answer.choices[0].message.content
    assert is_quoted(answer.rag)
    with pytest.raises(openai.InternalServerError) as refused:
        up.ask()
    assert refused.value.status_code == 503
    assert "retry-after" in refused.value.response.headers
    assert up.vllm.process.wait(30) == 128 + signal.SIGKILL
    assert [pid for pid in everything if alive(pid)] == []


def is_quoted(rag: dict) -> bool:
    """Says whether the extractive generator answered because the model is down."""
    return rag["model"] == "extractive" and not rag["refused"] and rag["route"].startswith("fallback: tiny is down")


@pytest.fixture(scope="module")
def base(up: Up, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A GPT-NeoX by the profile of the large one, but for what needs a GPU."""
    folder = tmp_path_factory.mktemp("neox")
    profile = yaml.safe_load((Path(__file__).parents[2] / "configs" / "generation" / "gpt-neox-20b.yaml").read_text())
    small = {"dtype": "float32", "gpu_memory_share": None, "cpu_cache_gib": 1, "eager": True, "revision": None}
    (folder / "small-neox.yaml").write_text(yaml.safe_dump({**profile, **small}))
    with ExitStack() as stack:
        yield start(stack, folder, "gpt-neox", "small-neox", profiles_dir=str(folder))


def test_base_model_continues_the_platforms_transcript(base: Up) -> None:
    answer = base.ask(model="ragstead", messages=question("When does the tide turn?"), extra_body=EVIDENCE)
    assert (answer.rag["model"], answer.rag["route"]) == ("tiny", "configured")
    assert answer.usage.completion_tokens > 0
    assert '"POST /v1/completions HTTP/1.1" 200' in base.vllm.log.read_text()


def test_base_model_may_be_named_as_its_profile_brings_a_chat_template(base: Up) -> None:
    able = base.client.models.retrieve("tiny").capabilities
    assert (able["chat"], able["tools"], able["logprobs"]) == (True, False, True)
    said = base.ask().choices[0].message.content
    transcript = base.client.with_options(base_url=f"{base.vllm.url}/v1").completions.create(
        model="gpt-neox-20b", prompt="User: Say something.\n\nAssistant:", temperature=0, max_tokens=16
    )
    assert said == transcript.choices[0].text
    tool = {"type": "function", "function": {"name": "weather", "parameters": CITY}}
    with pytest.raises(openai.BadRequestError, match="tools"):
        base.ask(tools=[tool])


def test_signal_to_end_reaches_vllm_and_nothing_of_it_is_left(base: Up) -> None:
    everything = children_of(base.vllm.process.pid)
    assert everything
    base.vllm.process.send_signal(signal.SIGTERM)
    assert base.vllm.process.wait(30) == 0
    assert [pid for pid in everything if alive(pid)] == []
