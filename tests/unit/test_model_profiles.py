"""Profiles: strict, found in the user's folder first, and taken over by the settings that name one."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ragstead.bootstrap.chat_models import chat_models
from ragstead.errors import ConfigurationError, NotFound
from ragstead.model_profiles import ModelProfile, profile_names, read_profile
from ragstead.settings import Settings, usable_cores
from ragstead_generation.command import vllm_command

SHIPPED = Path(__file__).parents[2] / "configs" / "generation"
LEAST = {"model": "m", "served_name": "s", "max_length": 1024, "can": ["chat"]}


def written(folder: Path, **fields: object) -> Path:
    (folder / "mine.yaml").write_text(yaml.safe_dump({**LEAST, **fields}))
    return folder


def words_of(profile: ModelProfile) -> list[str]:
    return list(vllm_command(profile, python="py", host="127.0.0.1", port=8000).words)


def test_those_of_configs_are_those_that_come_with_us() -> None:
    assert sorted(path.stem for path in SHIPPED.glob("*.yaml")) == profile_names()
    assert {"gpt-neox-20b", "llama-3.1-8b", "llama-3-70b-4bit", "mistral-7b-4bit", "cpu-tiny"} <= set(profile_names())


@pytest.mark.parametrize("name", profile_names())
def test_shipped_profile_is_read(name: str) -> None:
    profile = read_profile(name)
    assert "chat" in profile.can
    assert ("tools" in profile.can) == ("--enable-auto-tool-choice" in words_of(profile))


def test_base_model_brings_a_chat_template_and_calls_no_tools() -> None:
    profile = read_profile("gpt-neox-20b")
    assert profile.api == "completions"
    assert profile.chat_template is not None
    assert "tools" not in profile.can
    words = words_of(profile)
    assert words[words.index("--chat-template") + 1] == profile.chat_template


def test_own_folder_comes_first(tmp_path: Path) -> None:
    (tmp_path / "llama-3.1-8b.yaml").write_text(yaml.safe_dump(LEAST))
    assert read_profile("llama-3.1-8b", tmp_path).model == "m"
    assert read_profile("phi-3-mini", tmp_path).served_name == "phi-3-mini"
    with pytest.raises(NotFound, match=r"llama-3\.1-8b"):
        read_profile("../llama", tmp_path)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"temperature": 1}, "temperature: Extra inputs"),
        ({"max_length": "1024"}, "max_length: .*integer"),
        ({"gpu_memory_share": 1.5}, "gpu_memory_share"),
        ({"can": ["chat", "sing"]}, r"can\.1"),
        ({"can": ["chat", "tools"]}, "`tools` in `can` and `tool_call_parser` go together"),
        ({"tool_call_parser": "hermes"}, "go together"),
        ({"can": []}, "api chat needs `chat`"),
        ({"cpu_cache_gib": 1}, "either `gpu_memory_share`"),
        ({"gpu_memory_share": None}, "either `gpu_memory_share`"),
        ({"cpu_threads": 2}, "`cpu_threads` goes with `cpu_cache_gib`"),
        ({"dtype": "int8"}, "dtype"),
    ],
)
def test_field_that_is_off_is_refused_by_name(tmp_path: Path, fields: dict, named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        read_profile("mine", written(tmp_path, **fields))


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({}, {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "OMP_NUM_THREADS": str(max(1, usable_cores() - 1))}),
        ({"cpu_threads": 3}, {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "OMP_NUM_THREADS": "3"}),
        ({"tensor_parallel": 2}, {"VLLM_ENABLE_V1_MULTIPROCESSING": None, "OMP_NUM_THREADS": None}),
        ({"gpu_memory_share": 0.9, "cpu_cache_gib": None}, {"VLLM_ENABLE_V1_MULTIPROCESSING": None}),
    ],
)
def test_engine_on_a_cpu_computes_itself_and_leaves_a_core(tmp_path: Path, fields: dict, wanted: dict) -> None:
    profile = read_profile("mine", written(tmp_path, **{"gpu_memory_share": None, "cpu_cache_gib": 1, **fields}))
    variables = vllm_command(profile, python="py", host="127.0.0.1", port=8000).environment
    assert {name: variables.get(name) for name in wanted} == wanted


@pytest.mark.parametrize("text", ["[]", "a: [", "", "3"])
def test_file_that_is_no_profile_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match=r"mine\.yaml"):
        read_profile("mine", tmp_path)


def test_command_line_says_what_the_profile_says(tmp_path: Path) -> None:
    fields = {"revision": "abc", "quantization": "awq", "tensor_parallel": 2, "prefix_caching": False, "eager": True}
    words = words_of(read_profile("mine", written(tmp_path, **fields)))
    assert words == [
        *("py", "-m", "vllm.entrypoints.openai.api_server", "--model", "m", "--revision", "abc"),
        *("--served-model-name", "s", "--host", "127.0.0.1", "--port", "8000", "--dtype", "auto"),
        *("--quantization", "awq", "--max-model-len", "1024", "--max-num-seqs", "64"),
        *("--gpu-memory-utilization", "0.9", "--tensor-parallel-size", "2"),
        *("--no-enable-prefix-caching", "--enforce-eager"),
    ]


def settings_with(**model: object) -> Settings:
    described = {"base_url": "http://127.0.0.1:8000/v1", **model}
    return Settings.model_validate({"deployment": {"generation": {"models": {"llama": described}}}})


def test_settings_that_name_a_profile_need_not_say_what_it_says() -> None:
    model = chat_models(settings_with(profile="llama-3.1-8b"))["llama"]
    assert (model.model, model.api, model.context_tokens) == ("llama-3.1-8b", "chat", 16384)
    assert model.can == ("chat", "tools", "response_format", "logprobs", "n")
    assert model.counts_tokens is True


def test_what_the_settings_say_themselves_wins() -> None:
    given = settings_with(profile="llama-3.1-8b", context_tokens=4096, can=["tools"], counts_tokens=False, model="x")
    model = chat_models(given)["llama"]
    assert (model.context_tokens, model.can, model.counts_tokens, model.model) == (4096, ("tools",), False, "x")


def test_settings_that_name_no_profile_or_an_unknown_one() -> None:
    given = settings_with()
    assert chat_models(given) == given.deployment.generation.models
    with pytest.raises(ConfigurationError, match="no profile named 'gpt-9'") as caught:
        chat_models(settings_with(profile="gpt-9"))
    assert caught.value.param == "deployment.generation.models.llama.profile"
