"""Who sends a request: an id of its key that says nothing about the key."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from ragstead.ports.conversations import ANONYMOUS
from ragstead_gateway.app import create_app
from ragstead_serving.auth import caller_id
from services.conftest import InProcess
from services.fake_platform import FakePlatform

CONVERSATIONS = "/v1/conversations"


class House:
    """A gateway with keys."""

    def __init__(self, folder: Path, keys: Sequence[str]) -> None:
        self.platform = FakePlatform(folder)
        self.call = InProcess(create_app(self.platform, api_keys=keys))

    def owner(self, authorization: str | None) -> str:
        """The owner of a conversation begun with this header."""
        headers = {} if authorization is None else {"authorization": authorization}
        answer = self.call("POST", CONVERSATIONS, headers=headers)
        assert answer.status_code == 200, answer.text
        kept = self.platform.conversations._kept
        return kept[answer.json()["id"]].owner


def test_owner_is_an_id_of_the_key_however_the_header_is_written(tmp_path: Path) -> None:
    house = House(tmp_path, ["first-key", "second-key"])
    first = {house.owner(header) for header in ("Bearer first-key", "bearer first-key", "BEARER  first-key ")}
    assert first == {caller_id("first-key")}
    assert house.owner("Bearer second-key") == caller_id("second-key") != caller_id("first-key")
    assert House(tmp_path, ["zeroth-key", "first-key"]).owner("Bearer first-key") in first


def test_id_is_the_same_on_every_machine_and_holds_nothing_of_the_key() -> None:
    assert caller_id("first-key") == "key-67812afbc28ebf67571de0504c22c51b"
    assert caller_id("é\udcff").startswith("key-")
    assert "first" not in caller_id("first-key")


@pytest.mark.parametrize("authorization", [None, "Bearer anything"])
def test_everybody_is_one_where_no_key_is_asked_for(tmp_path: Path, authorization: str | None) -> None:
    assert House(tmp_path, []).owner(authorization) == ANONYMOUS


def test_chat_carries_its_caller(tmp_path: Path) -> None:
    house = House(tmp_path, ["first-key"])
    body = {"model": "ragstead", "messages": [{"role": "user", "content": "hello"}]}
    house.call("POST", "/v1/chat/completions", json=body, headers={"authorization": "Bearer first-key"})
    assert [one.owner for one in house.platform.answerer.asked] == [caller_id("first-key")]
