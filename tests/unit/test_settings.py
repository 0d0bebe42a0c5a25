"""Settings: the shipped file is the defaults, and what is off is refused by name."""

from pathlib import Path

import pytest
import yaml

from ragstead.errors import ConfigurationError
from ragstead.settings import EMBEDDING_MODELS, EmbeddingModelSettings, Settings, load_settings, resolve_secret

SHIPPED = Path(__file__).parents[2] / "configs" / "ragstead.yaml"


def test_the_shipped_file_is_the_defaults() -> None:
    assert load_settings(SHIPPED, environ={}) == Settings()


def test_the_shipped_file_shows_every_model_that_is_known() -> None:
    shown = yaml.safe_load(SHIPPED.read_text())["pipeline"]["embedder"]["models"]
    assert list(shown) == list(EMBEDDING_MODELS)
    assert {name: EmbeddingModelSettings(**row) for name, row in shown.items()} == EMBEDDING_MODELS
    assert shown["all-MiniLM-L6-v2"].keys() == EmbeddingModelSettings.model_fields.keys()


def test_models_of_a_file_come_beside_those_that_are_known(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("pipeline: {embedder: {model: mine, models: {mine: {dim: 8}, gte-large: {dim: 9}}}}")
    embedder = load_settings(file, environ={}).pipeline.embedder
    assert (embedder.models["mine"].dim, embedder.models["gte-large"].dim, embedder.models["e5-large-v2"].dim) == (
        8,
        9,
        1024,
    )


def test_data_dir_of_the_caller_wins_over_environment_and_file(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("deployment: {data_dir: from-file}")
    assert load_settings(file, environ={}).deployment.data_dir == Path("from-file")
    assert load_settings(file, environ={"RAGSTEAD_DATA_DIR": "env"}).deployment.data_dir == Path("env")
    both = load_settings(file, data_dir=Path("arg"), environ={"RAGSTEAD_DATA_DIR": "env"})
    assert both.deployment.data_dir == Path("arg")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("pipeline: {retrieval: {alpha: 2}}", "pipeline.retrieval.alpha"),
        ("pipeline: {retrieval: {beta: 1}}", "pipeline.retrieval.beta"),
        ("deployment: {api_keys: [s3cret]}", "deployment.api_keys"),
        ("pipeline: {embedder: {model: ada}}", "pipeline.embedder: .*'ada' is none of all-MiniLM-L6-v2"),
        ("pipeline: {embedder: {fallback: ada}}", "pipeline.embedder: .*'ada' is none of"),
        ("pipeline: {embedder: {fallback: all-MiniLM-L6-v2}}", "is itself"),
        ("pipeline: {embedder: {precision: bf16}}", "sentence-transformers alone"),
        ("pipeline: {embedder: {runtime: hosted, fallback: gte-large}}", "no fallback"),
        ("deployment: {embedding: {hosted: {base_url: ftp://127.0.0.1}}}", "hosted.base_url"),
        ("deployment: {embedding: {hosted: {base_url: 'http://127.0.0.1', api_key: sk-1}}}", "hosted.api_key"),
        ("deployment: {port: eighty}", "deployment.port"),
        ("deployment: 3", "deployment"),
        ("[]", "mapping"),
        ("a: [", "no YAML"),
        ("a: \x00", "YAML"),
    ],
)
def test_a_file_that_is_off_is_refused_by_name(text: str, named: str, tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=named):
        load_settings(file, environ={})


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.yaml"):
        load_settings(tmp_path / "none.yaml", environ={})


def test_an_empty_file_is_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("")
    assert load_settings(file, environ={}) == Settings()


def test_secrets_are_resolved_by_reference(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(" k1\n")
    assert resolve_secret(f"file:{tmp_path / 'key'}", {}) == "k1"
    assert resolve_secret("env:KEY", {"KEY": "k2"}) == "k2"
    with pytest.raises(ConfigurationError, match="KEY"):
        resolve_secret("env:KEY", {})
    with pytest.raises(ConfigurationError, match="missing"):
        resolve_secret(f"file:{tmp_path / 'missing'}", {})
