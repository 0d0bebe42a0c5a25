"""The gateway behind the real server, over TCP."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx

from ragstead_gateway.app import create_app
from ragstead_gateway.batches import Batch
from services.fake_platform import FakePlatform
from services.live_server import serving

CHAT = "/v1/chat/completions"
TEXT = "Parents take 20 days of leave each year and a few more when twins are born"


def body(**more: object) -> dict[str, object]:
    messages = [{"role": "user", "content": "days of leave"}]
    return {"model": "ragstead", "messages": messages, "rag": {"collection": "handbook"}} | more


def fill(url: str) -> None:
    documents = {"documents": [{"document_id": "leave", "text": TEXT}]}
    assert httpx.post(f"{url}/v1/vector_stores/handbook/documents", json=documents).status_code == 202


def test_stream_comes_piece_by_piece(live, platform):
    fill(live)
    platform.answerer.pause_s = 0.05
    arrivals: list[float] = []
    with httpx.stream("POST", live + CHAT, json=body(stream=True)) as answer:
        arrivals.extend(time.monotonic() for line in answer.iter_lines() if line.startswith("data: "))
    assert len(arrivals) > 5
    assert arrivals[-1] - arrivals[0] > 0.2


def wait_until_closed(platform: FakePlatform) -> bool:
    for _ in range(100):
        if platform.answerer.closed.is_set():
            return True
        time.sleep(0.05)
    return False


def test_client_that_hangs_up_in_mid_stream_closes_the_pipeline(live, platform):
    fill(live)
    platform.answerer.pause_s = 0.3
    began = time.monotonic()
    with httpx.stream("POST", live + CHAT, json=body(stream=True)) as answer:
        next(answer.iter_lines())
    assert wait_until_closed(platform)
    assert time.monotonic() - began < 2.5, "the pipeline ran to its end"


def test_client_that_hangs_up_before_the_first_piece_closes_the_pipeline(live, platform):
    fill(live)
    platform.answerer.pause_s = 20
    for streamed in (True, False):
        platform.answerer.closed.clear()
        address = urlsplit(live)
        connection = http.client.HTTPConnection(str(address.hostname), int(address.port or 0))
        connection.request("POST", CHAT, json.dumps(body(stream=streamed)), {"content-type": "application/json"})
        time.sleep(0.3)
        assert platform.answerer.asked
        connection.close()
        assert wait_until_closed(platform)
        platform.answerer.asked.clear()


def test_client_that_is_gone_is_booked_as_499(live, platform):
    fill(live)
    platform.answerer.pause_s = 20
    try:
        httpx.post(live + CHAT, json=body(), timeout=0.3)
    except httpx.ReadTimeout:
        assert wait_until_closed(platform)
    time.sleep(0.1)
    assert 'route="/v1/chat/completions",status="499"' in httpx.get(f"{live}/metrics").text


def test_body_over_its_limit_is_413_that_the_client_can_read(live):
    answer = httpx.post(live + CHAT, content=b"x" * (30 << 20), headers={"content-type": "application/json"})
    assert answer.status_code == 413
    assert answer.headers["connection"] == "close"

    def pieces():
        for _ in range(400):
            yield b"x" * (1 << 16)

    answer = httpx.post(live + CHAT, content=pieces(), headers={"content-type": "application/json"})
    assert answer.status_code == 413


def raw(url: str, request: bytes) -> bytes:
    address = urlsplit(url)
    with socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=5) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


def test_foreign_absent_and_doubled_hosts_are_403_on_the_wire(live):
    for head in (b"Host: evil.example", b"X: y", b"Host: 127.0.0.1\r\nHost: evil.example"):
        answer = raw(live, b"GET /v1/models HTTP/1.1\r\n" + head + b"\r\nConnection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 403"), (head, answer)
    answer = raw(live, b"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")


def test_what_is_no_http_is_refused_and_the_server_lives_on(live):
    raw(live, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    raw(live, b"POST /v1/search HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n{")
    assert httpx.get(f"{live}/health/live").status_code == 200


def test_server_says_no_name_of_its_software(live):
    assert "server" not in httpx.get(f"{live}/health/live").headers


def test_ids_with_any_printable_character_go_there_and_back(live):
    for document_id in ("a/b", "..", "a b", "\u00e4\U0001f600", "100%", "a?b#c", "a//b", "%2F"):
        path = quote(document_id, safe="") if document_id.strip(".") else document_id.replace(".", "%2E")
        url = f"{live}/v1/vector_stores/c/documents/{path}"
        answer = httpx.put(url, content=document_id.encode(), params={"filename": "a.txt"})
        assert (answer.status_code, answer.json().get("document_id")) == (202, document_id), answer.text
        assert httpx.get(url).json()["document_id"] == document_id
    listed = httpx.get(f"{live}/v1/vector_stores/c/documents").json()
    assert len(listed["documents"]) == 8


def test_file_batch_of_five_hundred_files_has_an_id_that_a_url_can_hold(live):
    ids = [
        httpx.post(f"{live}/v1/files", files={"file": (f"{i}.txt", b"a %d" % i)}, data={"purpose": "evals"}).json()[
            "id"
        ]
        for i in range(3)
    ]
    httpx.post(f"{live}/v1/vector_stores", json={"name": "b"})
    # ids as random as the real ones; unknown ones count as cancelled
    batch = Batch(1, (*ids, *(f"file-{os.urandom(12).hex()}" for _ in range(497))))
    answer = httpx.get(f"{live}/v1/vector_stores/b/file_batches/{batch.id}")
    assert answer.json()["file_counts"]["cancelled"] == 500


_PROCESS = """
import asyncio, sys, tempfile
from pathlib import Path
sys.path.insert(0, {tests!r})
from ragstead_gateway.app import create_app
from ragstead_serving.server import bind, run, serve
from services.fake_platform import FakePlatform
async def main():
    app = create_app(FakePlatform(Path(tempfile.mkdtemp())))
    await serve(app, bind("127.0.0.1", 0), on_ready=lambda url: print(url, flush=True))
    await asyncio.sleep(0.01)
    print(type(asyncio.get_running_loop()).__module__, flush=True)
run(main())
"""


def test_signal_ends_the_server_in_order_and_leaves_the_process_to_tidy_up():
    for number in (signal.SIGTERM, signal.SIGINT):
        script = _PROCESS.format(tests=str(Path(__file__).parents[1]))
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert httpx.get(f"{url}/health/live").status_code == 200
            process.send_signal(number)
            rest, _ = process.communicate(timeout=15)
        assert process.returncode == 0
        assert rest.strip() == "uvloop"


def test_request_in_flight_is_answered_when_the_server_is_told_to_stop(tmp_path):
    platform = FakePlatform(tmp_path)
    platform.answerer.pause_s = 0.15
    answers: list[httpx.Response] = []
    with serving(create_app(platform)) as url:
        fill(url)
        asking = threading.Thread(target=lambda: answers.append(httpx.post(url + CHAT, json=body(), timeout=20)))
        asking.start()
        time.sleep(0.4)
    asking.join()
    assert answers[0].status_code == 200
