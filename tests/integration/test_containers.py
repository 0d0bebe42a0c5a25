"""What the images and the compose files promise, as far as it can be seen without a container engine."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import setup_env
import yaml

from integration.balanced import COMPOSE, KEY, ROOT, Child, embedding_service
from programs import free_port
from ragstead.settings import DeploymentSettings, load_settings

IMAGES = {"Dockerfile": "cpu.yaml", "Dockerfile.cuda": "cuda.yaml"}
LOCKS = {
    "Dockerfile": {"requirements.lock", "requirements-model.txt"},
    "Dockerfile.cuda": {"requirements.lock", "requirements-model.txt", "requirements-torch.lock"},
}
CONFIG = "/etc/ragstead/ragstead.yaml"


@dataclass(frozen=True)
class Image:
    """A Dockerfile: its instructions in order, those of the last stage apart."""

    name: str
    steps: list[tuple[str, str]]

    @property
    def last_stage(self) -> list[tuple[str, str]]:
        start = max(i for i, (word, _) in enumerate(self.steps) if word == "FROM")
        return self.steps[start:]

    def only(self, word: str) -> str:
        """What the instruction says, which the last stage has once."""
        [found] = [rest for step, rest in self.last_stage if step == word]
        return found


@pytest.fixture(params=IMAGES)
def image(request: pytest.FixtureRequest) -> Image:
    text = (COMPOSE / "embedding" / request.param).read_text()
    lines = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", "").splitlines()
    return Image(
        request.param, [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines if line)]
    )


def copied(image: Image) -> list[str]:
    """What is copied from the repository."""
    words = [rest.split() for step, rest in image.steps if step == "COPY"]
    return [source for line in words if not line[0].startswith("--from=") for source in line[:-1]]


def test_what_is_copied_exists_and_is_sent_to_the_builder(image: Image) -> None:
    sent = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for source in copied(image):
        assert (ROOT / source).exists()
        assert any(Path(source).match(pattern) or source.startswith(f"{pattern}/") for pattern in sent), source


def test_only_locks_say_what_is_installed(image: Image) -> None:
    installs = [rest for step, rest in image.steps if step == "RUN" and "pip install" in rest]
    assert {lock for line in installs for lock in re.findall(r"-r (\S+)", line)} == LOCKS[image.name]
    unlocked = [line for line in installs if "-r " not in line and not line.endswith("--no-deps .")]
    torch = [f"/opt/ragstead/bin/pip install {setup_env.TORCH} -c requirements.lock -c requirements-dev.lock"]
    assert unlocked == (torch if "cuda" in image.name else [])
    assert all("--no-deps" in line for line in installs if line not in unlocked)


def test_process_is_nobody_in_particular_and_hears_sigterm(image: Image) -> None:
    user, group = image.only("USER").split(":")
    assert min(int(user), int(group)) >= 10000
    assert image.only("STOPSIGNAL") == "SIGTERM"
    assert json.loads(image.only("ENTRYPOINT")) == ["ragstead"]  # not through a shell, which would keep the signal
    assert json.loads(image.only("CMD")) == ["serve", "embedding", "--config", CONFIG]
    assert f"compose/embedding/{IMAGES[image.name]} {CONFIG}" in [rest for _, rest in image.last_stage]


def test_nothing_in_the_process_reports_or_fetches(image: Image) -> None:
    assert {"ORT_DISABLE_TELEMETRY=1", "HF_HUB_OFFLINE=1"} <= set(image.only("ENV").split())


def test_images_ask_for_a_key_and_keep_the_limits_that_nginx_knows() -> None:
    nginx = (COMPOSE / "nginx" / "nginx.conf.template").read_text()
    for name in IMAGES.values():
        deployment = load_settings(COMPOSE / "embedding" / name).deployment
        assert (deployment.host, deployment.embedding.port) == ("0.0.0.0", 8081)
        assert deployment.api_keys == ("env:RAGSTEAD_API_KEY",)
        assert deployment.embedding.cache_url == "env:REDIS_URL"
        assert f"client_max_body_size {deployment.max_body_bytes >> 20}m;" in nginx


@pytest.mark.parametrize("name", IMAGES.values())
def test_command_line_accepts_the_configuration_with_a_key_and_refuses_it_without(name: str) -> None:
    command = [sys.executable, "-m", "ragstead_cli.main", "config", "check", "--config", COMPOSE / "embedding" / name]
    for environ, status in (({"RAGSTEAD_API_KEY": KEY}, 0), ({}, 2)):
        told = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
        assert told.returncode == status, told.stderr


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    """The CPU image's command line and configuration, on loopback, with a cache that does not answer."""
    folder = tmp_path_factory.mktemp("service")
    cache = folder / "redis_url"
    cache.write_text(f"redis://127.0.0.1:{free_port()}/0")
    child = embedding_service(folder, {"embedding": {"cache_url": f"file:{cache}"}})
    try:
        child.start()
        child.wait()
        yield child
    finally:
        child.kill()


def test_health_check_tells_a_replica_that_answers_from_one_that_does_not(image: Image, service: Child) -> None:
    _, _, check = image.only("HEALTHCHECK").partition("CMD ")
    python, *words = json.loads(check)
    assert python == "python"
    for port, status in ((service.port, 0), (free_port(), 1)):
        there = [word.replace("8081", str(port)) for word in words]
        told = subprocess.run([sys.executable, *there], capture_output=True, timeout=30, check=False)
        assert told.returncode == status


def test_sigterm_ends_the_process_in_order(service: Child) -> None:
    assert service.process is not None
    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(timeout=20) == 0


def composed(*names: str) -> dict[str, Any]:
    """The services of compose files, a later one's words over an earlier one's."""
    services: dict[str, Any] = {}
    for name in names:
        for service, words in yaml.safe_load((COMPOSE / name).read_text())["services"].items():
            services[service] = services.get(service, {}) | words
    return services


@pytest.mark.parametrize("names", [["compose.yaml"], ["compose.yaml", "compose.cuda.yaml"]])
def test_every_service_is_shut_in_and_what_it_mounts_or_builds_is_there(names: list[str]) -> None:
    for name, service in composed(*names).items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source == "models" or (COMPOSE / source).exists(), name
        if "build" in service:
            assert (COMPOSE / service["build"]["context"]).resolve() == ROOT
            assert (ROOT / service["build"]["dockerfile"]).is_file()


def test_models_are_written_by_the_step_before_and_read_only_to_the_replicas() -> None:
    services = composed("compose.yaml")
    folder = load_settings(COMPOSE / "embedding" / "cpu.yaml").deployment.models_dir
    assert folder != DeploymentSettings().models_dir
    assert services["models"]["command"] == ["models", "export", "--config", CONFIG]
    assert services["models"]["volumes"] == [f"models:{folder}"]
    for name in ("embedding-1", "embedding-2"):
        assert services[name]["volumes"] == [f"models:{folder}:ro"]
        assert services[name]["depends_on"]["models"] == {"condition": "service_completed_successfully"}


def test_nginx_is_told_every_name_of_its_template() -> None:
    environ = composed("compose.yaml")["nginx"]["environment"]
    named = set(re.findall(r"\$\{(\w+)\}", (COMPOSE / "nginx" / "nginx.conf.template").read_text()))
    assert named == {name for name in environ if re.match(environ["NGINX_ENVSUBST_FILTER"], name)}
    replicas = {value for name, value in environ.items() if re.fullmatch(r"EMBEDDING_\d", name)}
    assert replicas == {f"{name}:8081" for name in composed("compose.yaml") if name.startswith("embedding-")}
