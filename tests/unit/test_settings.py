"""Settings: the shipped file is the defaults, and what is off is refused by name."""

from pathlib import Path

import pytest

from ragstead.errors import ConfigurationError
from ragstead.settings import Settings, load_settings, resolve_secret

SHIPPED = Path(__file__).parents[2] / "configs" / "ragstead.yaml"


def test_the_shipped_file_is_the_defaults() -> None:
    assert load_settings(SHIPPED, environ={}) == Settings()


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
    with pytest.raises(ConfigurationError, match=named.replace(".", r"\.")):
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
