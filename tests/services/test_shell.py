"""What the serving library does for any service, over the gateway's routes."""

from __future__ import annotations

import asyncio
import socket

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragstead.errors import ConfigurationError
from ragstead_gateway.app import create_app, is_upload
from ragstead_serving.host_rules import check_exposure, host_name
from ragstead_serving.options import ServiceOptions
from ragstead_serving.server import bind
from services.conftest import InProcess
from services.fake_platform import FakePlatform

CHAT = "/v1/chat/completions"
SHAPE = {"message", "type", "param", "code"}


# --- the one shape of errors ---


@pytest.mark.parametrize(
    "body", [b"{", b"", b"nonsense", b'{"a": NaN}', b'"\\ud800"', b"[" * 100_000, b"\xff\xfe", b'{"a": 1}x']
)
def test_malformed_json_is_a_400(call, body):
    answer = call("POST", CHAT, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert set(answer.json()["error"]) == SHAPE


@pytest.mark.parametrize("body", [b"[]", b"1", b"null", b'"text"'])
def test_json_that_is_no_object_is_a_400(call, body):
    answer = call("POST", CHAT, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert set(answer.json()["error"]) == SHAPE


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", None])
def test_body_of_another_content_type_is_a_400_that_says_so(call, kind):
    headers = {"content-type": kind} if kind else {}
    answer = call("POST", CHAT, content=b'{"model": "ragstead"}', headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unsupported_content_type")


def test_unknown_url_and_method_keep_the_shape(call):
    answer = call("GET", "/v1/moderations")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_url")
    answer = call("DELETE", CHAT)
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_supported")
    assert answer.headers["allow"] == "POST"
    assert call("PATCH", "/v1/vector_stores/a/files/b").headers["allow"] == "GET, POST, DELETE"
    assert call("GET", "/v1/models/").status_code in (400, 404)


def test_missing_field_is_named(call):
    error = call("POST", CHAT, json={"messages": [{"role": "user", "content": "a"}]}).json()["error"]
    assert error == {
        "message": "missing required parameter: model",
        "type": "invalid_request_error",
        "param": "model",
        "code": "missing_required_parameter",
    }


def test_unknown_field_is_named(call):
    error = call("POST", "/v1/search", json={"query": "a", "limit": 3}).json()["error"]
    assert (error["message"], error["code"]) == ("unknown parameter: limit", "unknown_parameter")


# --- names, limits, doors ---


def test_request_id_is_the_caller_s_where_well_formed(call):
    assert call("GET", "/health/live", headers={"x-request-id": "abc-1"}).headers["x-request-id"] == "abc-1"
    made = call("GET", "/health/live", headers={"x-request-id": "a b" * 30}).headers["x-request-id"]
    assert len(made) == 32


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200), ("127.0.0.1:8080", 200), ("localhost:1", 200), ("LOCALHOST", 200), ("[::1]:8080", 200),
        ("evil.example", 403), ("127.0.0.1.evil.example", 403), ("127.0.0.1:80@evil.example", 403), ("[::1].evil", 403),
        ("", 403), ("localhost.", 403), ("0.0.0.0", 403), ("[::]", 403), ("127.0.0.1:", 403), ("192.168.0.7", 403),
    ],
)  # fmt: skip
def test_host_that_is_not_ours_is_403(call, host, status):
    answer = call("GET", "/health/live", headers={"host": host})
    assert answer.status_code == status
    if status == 403:
        assert set(answer.json()["error"]) == SHAPE


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://127.0.0.1:8080", 200), ("https://127.0.0.1:8080", 200), ("http://127.0.0.1", 403), ("null", 403),
        ("http://127.0.0.1:9999", 403), ("http://localhost:8080", 403), ("https://evil.example", 403), ("", 403),
    ],
)  # fmt: skip
def test_page_of_another_origin_is_403(call, origin, status):
    headers = {"host": "127.0.0.1:8080", "origin": origin}
    assert call("GET", "/v1/models", headers=headers).status_code == status


def test_configured_hosts_and_origins_are_answered_and_preflights_pass(tmp_path):
    names = {"allowed_hosts": ("rag.example",), "allowed_origins": ("https://chat.example",)}
    call = InProcess(create_app(FakePlatform(tmp_path, **names), api_keys=["secret"]))
    headers = {"host": "rag.example:8080", "origin": "https://chat.example"}
    answer = call("GET", "/v1/models", headers=headers | {"authorization": "Bearer secret"})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "https://chat.example")
    asking = {"access-control-request-method": "POST", "access-control-request-headers": "authorization, content-type"}
    assert call("OPTIONS", CHAT, headers=headers | asking).status_code == 200
    assert call("OPTIONS", CHAT, headers=headers | asking | {"origin": "https://evil.example"}).status_code == 403
    assert call("GET", "/v1/models", headers={"host": "127.0.0.1"}).status_code == 403


@given(st.text(st.characters(codec="latin-1"), max_size=40))
def test_host_name_is_never_taken_from_the_middle(text):
    assert host_name("evil.example" + text) != "127.0.0.1"
    assert not text or host_name(text + "127.0.0.1") != "127.0.0.1"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.1"])
def test_address_that_others_reach_needs_a_key(host):
    with pytest.raises(ConfigurationError, match="API key"):
        check_exposure(host, [])
    check_exposure(host, ["key"])


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "::1", "[::1]", "localhost"])
def test_loopback_needs_no_key(host):
    check_exposure(host, [])


def test_name_that_does_not_resolve_is_a_configuration_error():
    with pytest.raises(ConfigurationError, match="no address"):
        check_exposure("no-such-host.invalid", [])


def test_keys_open_everything_but_health_and_the_page_which_are_open(tmp_path):
    call = InProcess(create_app(FakePlatform(tmp_path), api_keys=["first", "s\u00e9cond"]))
    for path in ("/health/live", "/health/ready", "/"):
        assert call("GET", path).status_code == 200
    for path in ("/v1/models", "/metrics", "/openapi.json", "/nowhere"):
        answer = call("GET", path)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.json()["error"]["code"] == "invalid_api_key"
    for header in ("Bearer wrong", "Bearer ", "Basic first", "first", "Bearer firs", "Bearer first1"):
        assert call("GET", "/v1/models", headers={"authorization": header}).status_code == 401
    for header in ("Bearer first", "bearer first"):
        assert call("GET", "/v1/models", headers={"authorization": header}).status_code == 200


def test_empty_key_is_a_configuration_error():
    with pytest.raises(ConfigurationError, match="empty"):
        ServiceOptions(api_keys=("a", " "))


def test_body_over_its_limit_is_413_announced_or_not(tmp_path):
    call = InProcess(create_app(FakePlatform(tmp_path, max_body_bytes=1024, max_upload_bytes=200_000)))
    headers = {"content-type": "application/json"}
    answer = call("POST", CHAT, content=b"x" * 1025, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")

    async def pieces():
        for _ in range(3):
            yield b"x" * 500

    answer = call("POST", CHAT, content=pieces(), headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


def test_upload_has_a_limit_of_its_own(tmp_path):
    call = InProcess(create_app(FakePlatform(tmp_path, max_body_bytes=1024, max_upload_bytes=200_000)))
    path = "/v1/vector_stores/a/documents/b"
    assert call("PUT", path, content=b"x" * 200_000).status_code == 202
    assert call("PUT", path, content=b"x" * 200_001).status_code == 413
    assert call("PUT", path, content=b"x" * 300_000).status_code == 413
    form = {"data": {"purpose": "assistants"}}
    assert call("POST", "/v1/files", files={"file": ("a", b"x" * 200_000)}, **form).status_code == 200
    assert call("POST", "/v1/files", files={"file": ("a", b"x" * 200_001)}, **form).status_code == 413


@pytest.mark.parametrize("length", ["-1", "1e3", "abc", "\u00b2"])
def test_content_length_that_is_no_number_is_refused(call, length):
    answer = call("POST", CHAT, content=b"{}", headers={"content-length": length.encode("latin-1")})
    assert answer.status_code == 400


def test_uploads_are_told_by_method_and_path():
    assert is_upload("POST", "/v1/files")
    assert is_upload("PUT", "/v1/vector_stores/a/documents/b/c")
    assert not is_upload("POST", "/v1/files/x")
    assert not is_upload("POST", "/v1/vector_stores/a/documents")


def test_one_request_too_many_is_429_and_health_still_answers(tmp_path):
    platform = FakePlatform(tmp_path, max_waiting=2)
    gate = asyncio.Event()

    async def held() -> list[object]:
        await gate.wait()
        return []

    platform.collections.list = held  # type: ignore[method-assign]

    async def main() -> None:
        transport = httpx.ASGITransport(create_app(platform))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            waiting = [asyncio.create_task(client.get("/v1/vector_stores")) for _ in range(2)]
            await asyncio.sleep(0.05)
            answer = await client.get("/v1/models")
            assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
            assert answer.json()["error"]["type"] == "rate_limit_error"
            assert (await client.get("/health/live")).status_code == 200
            assert "ragstead_http_in_flight 3.0" in (await client.get("/metrics")).text
            gate.set()
            assert [(await one).status_code for one in waiting] == [200, 200]
            assert (await client.get("/v1/models")).status_code == 200

    asyncio.run(main())


# --- operations ---


def test_readiness_names_each_dependency_and_is_503_when_one_is_not(call, platform):
    assert call("GET", "/health/live").json() == {"live": True}
    answer = call("GET", "/health/ready")
    assert (answer.status_code, answer.json()["ready"]) == (200, True)
    platform.ready = {"metadata": (True, "answers"), "vectors": (False, "refused")}
    answer = call("GET", "/health/ready")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert answer.json()["dependencies"]["vectors"] == {"ready": False, "detail": "refused"}


def test_metrics_book_routes_by_template_and_never_by_path(call, handbook):
    call("GET", "/v1/vector_stores/handbook/documents/leave.md")
    call("GET", "/v1/vector_stores/nothing-of-the-kind")
    call("GET", "/secret-path")
    call("BREW", "/v1/models")
    text = call("GET", "/metrics").text
    route = 'route="/v1/vector_stores/{store}/documents/{document_id:path}"'
    assert f'ragstead_http_requests_total{{method="GET",{route},status="200"}} 1.0' in text
    assert 'ragstead_http_errors_total{method="GET",route="/v1/vector_stores/{store}",status="404"} 1.0' in text
    assert 'route="unmatched",status="404"' in text
    assert 'method="other"' in text
    assert "ragstead_http_request_seconds_bucket" in text
    assert "secret-path" not in text
    assert "nothing-of-the-kind" not in text


def test_openapi_documents_errors_and_has_examples_on_every_body(call):
    document = call("GET", "/openapi.json").json()
    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert "422" not in operation["responses"], (method, path)
            assert {"400", "403", "429", "500", "503"} <= set(operation["responses"]), (method, path)
            for content in operation.get("requestBody", {}).get("content", {}).values():
                if "multipart" not in str(operation["requestBody"]["content"].keys()):
                    assert "examples" in content or "example" in content, (method, path)
    assert "HTTPValidationError" not in document["components"]["schemas"]
    assert "securitySchemes" not in document["components"]


def test_openapi_names_the_bearer_scheme_where_keys_are_configured(tmp_path):
    call = InProcess(create_app(FakePlatform(tmp_path), api_keys=["k"]))
    document = call("GET", "/openapi.json", headers={"authorization": "Bearer k"}).json()
    assert document["components"]["securitySchemes"] == {"bearer": {"type": "http", "scheme": "bearer"}}
    assert document["paths"]["/v1/models"]["get"]["security"] == [{"bearer": []}]
    assert "security" not in document["paths"]["/health/live"]["get"]


def test_page_loads_nothing_from_elsewhere_and_writes_text_alone(call):
    answer = call("GET", "/")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    for forbidden in (
        "http://",
        "https://",
        "innerHTML",
        "outerHTML",
        "insertAdjacent",
        "document.write",
        "eval(",
        " style=",
        " onclick=",
    ):
        assert forbidden not in answer.text


def test_port_that_is_taken_is_a_configuration_error_that_names_it():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=str(port)) as error:
            bind("127.0.0.1", port)
    assert error.value.param == "deployment.port"


def test_bind_reports_the_real_port_and_refuses_what_is_no_address():
    listener = bind("127.0.0.1", 0)
    assert listener.url == f"http://127.0.0.1:{listener.port}"
    assert listener.port > 0
    listener.socket.close()
    with pytest.raises(ConfigurationError, match="65535"):
        bind("127.0.0.1", 70_000)
    with pytest.raises(ConfigurationError, match=r"192\.0\.2\.1"):
        bind("192.0.2.1", 0)
