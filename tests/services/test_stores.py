from __future__ import annotations

import base64
import zlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragstead.errors import NotFound
from ragstead.guardrails.injection import shipped_detector
from ragstead.model import State
from ragstead.wire import SearchView
from ragstead_gateway.batches import Batch

STORES = "/v1/vector_stores"


def upload(call, name="a.txt", data=b"Parents take 20 days", purpose="assistants"):
    answer = call("POST", "/v1/files", files={"file": (name, data)}, data={"purpose": purpose})
    assert answer.status_code == 200, answer.text
    return answer.json()["id"]


# --- vector stores ---


def test_store_is_made_found_by_name_or_id_changed_and_deleted(call):
    made = call("POST", STORES, json={"name": "hand book", "metadata": {"a": "b"}}).json()
    assert made["object"] == "vector_store"
    assert made["file_counts"] == {"in_progress": 0, "completed": 0, "failed": 0, "cancelled": 0, "total": 0}
    assert call("GET", f"{STORES}/hand%20book").json() == call("GET", f"{STORES}/{made['id']}").json() == made
    changed = call("POST", f"{STORES}/{made['id']}", json={"name": "other", "metadata": {}}).json()
    assert (changed["name"], changed["metadata"]) == ("other", {})
    gone = call("DELETE", f"{STORES}/other").json()
    assert gone == {"id": made["id"], "object": "vector_store.deleted", "deleted": True}
    answer = call("GET", f"{STORES}/other")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "collection_not_found")


def test_store_without_a_name_gets_one(call):
    assert call("POST", STORES, json={}).json()["name"].startswith("store-")


def test_store_of_a_taken_name_is_a_conflict(call, handbook):
    answer = call("POST", STORES, json={"name": "handbook"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "conflict")
    call("POST", STORES, json={"name": "b"})
    assert call("POST", f"{STORES}/b", json={"name": "handbook"}).status_code == 409


@pytest.mark.parametrize("name", ["", "vs_abc", "..", "a/b", "-a", "x" * 129, "a\n", 7])
def test_store_name_that_no_path_could_hold_is_refused(call, name):
    answer = call("POST", STORES, json={"name": name})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "name")


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"expires_after": {"anchor": "last_active_at", "days": 1}}, "expires_after"),
        ({"chunking_strategy": {"type": "static", "static": {}}}, "chunking_strategy.type"),
        ({"description": "x"}, "description"),
        ({"metadata": {"a": 1}}, "metadata.a"),
    ],
)
def test_store_options_that_are_not_offered_are_refused_by_name(call, more, param):
    answer = call("POST", STORES, json={"name": "a"} | more)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_store_made_with_an_unknown_file_is_not_made(call):
    answer = call("POST", STORES, json={"name": "a", "file_ids": ["file-none"]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "file_not_found")
    assert call("GET", f"{STORES}/a").status_code == 404


def test_store_made_with_files_has_them(call):
    made = call("POST", STORES, json={"name": "a", "file_ids": [upload(call), upload(call, "b.txt")]}).json()
    assert made["file_counts"]["completed"] == 2
    assert made["usage_bytes"] == 40


def test_stores_are_paged_newest_first(call):
    ids = [call("POST", STORES, json={"name": f"s{i}"}).json()["id"] for i in range(5)]
    page = call("GET", f"{STORES}?limit=2").json()
    assert [one["id"] for one in page["data"]] == [ids[4], ids[3]]
    assert (page["first_id"], page["last_id"], page["has_more"]) == (ids[4], ids[3], True)
    page = call("GET", f"{STORES}?limit=3&after={ids[3]}").json()
    assert ([one["id"] for one in page["data"]], page["has_more"]) == (ids[2::-1], False)
    page = call("GET", f"{STORES}?order=asc&limit=1").json()
    assert page["data"][0]["id"] == ids[0]


@pytest.mark.parametrize(
    ("query", "param"),
    [("limit=0", "limit"), ("limit=x", "limit"), ("order=up", "order"), ("before=a", "before"), ("after=no", "after")],
)
def test_page_that_can_not_be_cut_is_refused_by_name(call, query, param):
    answer = call("GET", f"{STORES}?{query}")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


# --- search ---


def test_store_search_has_openai_s_shape(call, handbook):
    found = call("POST", f"{STORES}/handbook/search", json={"query": "days of leave", "max_num_results": 3}).json()
    assert found["object"] == "vector_store.search_results.page"
    assert found["search_query"] == ["days of leave"]
    hit = found["data"][0]
    assert (hit["filename"], hit["attributes"]) == ("leave.md.txt", {"year": 2024})
    assert hit["content"] == [{"type": "text", "text": "Parents take 20 days of leave each year"}]


def test_store_search_of_several_queries_keeps_the_best_score_of_each_chunk(call, handbook):
    found = call("POST", f"{STORES}/handbook/search", json={"query": ["leave", "lunch leave zzz"]}).json()["data"]
    assert [(hit["filename"], hit["score"]) for hit in found] == [
        ("leave.md.txt", 1.0),
        ("lunch.md.txt", pytest.approx(1 / 3)),
    ]


def test_store_search_filters_and_thresholds(call, handbook):
    year = {"type": "gte", "key": "year", "value": 2024}
    found = call("POST", f"{STORES}/handbook/search", json={"query": "lunch leave", "filters": year}).json()["data"]
    assert [hit["filename"] for hit in found] == ["leave.md.txt"]
    options = {"score_threshold": 0.9}
    found = call("POST", f"{STORES}/handbook/search", json={"query": "lunch leave", "ranking_options": options}).json()
    assert found["data"] == []


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"query": ""}, "query"),
        ({"query": []}, "query"),
        ({"query": ["a", " "]}, "query[1]"),
        ({"filters": {"type": "no"}}, "filters.type"),
        ({"rewrite_query": True}, "rewrite_query"),
        ({"ranking_options": {"ranker": "default-2024-11-15"}}, "ranking_options.ranker"),
        ({"max_num_results": 51}, "max_num_results"),
    ],
)
def test_store_search_refuses_by_name(call, handbook, more, param):
    answer = call("POST", f"{STORES}/handbook/search", json={"query": "a"} | more)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_a_hit_is_marked_from_the_probability_on_at_which_the_guard_withholds_it(call, platform, handbook):
    threshold, search = shipped_detector().threshold, platform.retriever.search
    asked = {"query": "leave", "collection": "handbook", "k": 1}
    for mark, shown in ((None, None), (0.6, None), (threshold - 0.0001, None), (threshold, threshold), (1.0, 1.0)):

        async def marked(request, mark=mark):
            found = await search(request)
            [hit] = found.hits
            chunk = replace(hit.stored.chunk, injection=mark)
            return replace(found, hits=(replace(hit, stored=replace(hit.stored, chunk=chunk)),))

        platform.retriever.search = marked
        assert call("POST", "/v1/search", json=asked).json()["hits"][0].get("injection") == shown


def test_our_search_returns_hits_with_offsets_and_debug_when_asked(call, handbook):
    body = {"query": "leave", "collection": "handbook", "k": 1, "strategy": "lexical"}
    found = call("POST", "/v1/search", json=body).json()
    assert set(found["hits"][0]) == {
        "document_id", "file_id", "chunk_id", "filename", "page", "heading_path", "text", "start", "end", "score",
    }  # fmt: skip
    assert found["timings_ms"] == {"embed": 0.5}
    SearchView.model_validate(found)
    found = call("POST", "/v1/search", json=body | {"debug": True}).json()
    assert set(found["hits"][0]["debug"]) == {"cosine", "bm25", "fused"}
    SearchView.model_validate(found)


@pytest.mark.parametrize(
    ("more", "param"),
    [({"query": " "}, "query"), ({"query": "x" * 100_000}, "query"), ({"k": 0}, "k"), ({"k": "5"}, "k"),
     ({"filter": []}, "filter"), ({"strategy": "best"}, "strategy"), ({"limit": 3}, "limit")],
)  # fmt: skip
def test_our_search_refuses_by_name(call, handbook, more, param):
    answer = call("POST", "/v1/search", json={"query": "a", "collection": "handbook"} | more)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_rerank_is_404_while_no_reranker_is_configured(call):
    answer = call("POST", "/v1/rerank", json={"model": "m", "query": "q", "documents": ["d"]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")
    assert call("POST", "/v1/rerank", json={"model": "m", "query": "q"}).json()["error"]["param"] == "documents"


# --- files ---


def test_file_is_uploaded_shown_read_and_deleted(call):
    file_id = upload(call, "r\u00e9sum\u00e9.txt", "h\u00e9llo".encode())
    shown = call("GET", f"/v1/files/{file_id}").json()
    assert (shown["filename"], shown["bytes"], shown["status"], shown["purpose"]) == (
        "r\u00e9sum\u00e9.txt",
        6,
        "uploaded",
        "assistants",
    )
    answer = call("GET", f"/v1/files/{file_id}/content")
    assert answer.content == "h\u00e9llo".encode()
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert call("DELETE", f"/v1/files/{file_id}").json() == {"id": file_id, "object": "file", "deleted": True}
    assert call("GET", f"/v1/files/{file_id}/content").status_code == 404


def test_file_text_is_there_once_a_document_is_made_of_it(call, handbook):
    file_id = upload(call, data="P\u00e4r\U0001f600ts".encode())
    answer = call("GET", f"/v1/files/{file_id}/content?format=text")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "extracted_text_not_found")
    call("POST", f"{STORES}/handbook/files", json={"file_id": file_id})
    answer = call("GET", f"/v1/files/{file_id}/content?format=text")
    assert (answer.headers["content-type"], answer.text) == ("text/plain; charset=utf-8", "P\u00e4r\U0001f600ts")
    assert call("GET", f"/v1/files/{file_id}").json()["status"] == "processed"


def test_file_names_lose_their_folders(call):
    assert call("GET", "/v1/files/" + upload(call, "../../etc/passwd")).json()["filename"] == "passwd"
    assert call("GET", "/v1/files/" + upload(call, "C:\\a\\b.txt")).json()["filename"] == "b.txt"


@pytest.mark.parametrize(
    ("files", "data", "param"),
    [
        ({}, {"purpose": "assistants"}, "file"),
        ({"file": ("a", b"")}, {}, "purpose"),
        ({"file": ("a", b"")}, {"purpose": "fun"}, "purpose"),
        ({"file": ("a", b"")}, {"purpose": "assistants", "expires_after[days]": "1"}, "expires_after[days]"),
        ({"file": ("..", b"")}, {"purpose": "assistants"}, "filename"),
    ],
)
def test_upload_refuses_by_name(call, files, data, param):
    answer = call("POST", "/v1/files", files=files or None, data=data)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param), answer.text


def test_files_are_paged_by_order_and_purpose(call):
    ids = [upload(call, f"{i}.txt", purpose="evals" if i % 2 else "assistants") for i in range(5)]
    page = call("GET", "/v1/files?limit=2").json()
    assert ([one["id"] for one in page["data"]], page["has_more"]) == ([ids[4], ids[3]], True)
    page = call("GET", f"/v1/files?limit=2&after={ids[3]}").json()
    assert [one["id"] for one in page["data"]] == [ids[2], ids[1]]
    page = call("GET", f"/v1/files?order=asc&after={ids[0]}&limit=3").json()
    assert ([one["id"] for one in page["data"]], page["has_more"]) == (ids[1:4], True)
    page = call("GET", "/v1/files?purpose=evals").json()
    assert [one["id"] for one in page["data"]] == [ids[3], ids[1]]
    assert call("GET", "/v1/files?after=file-none").json()["error"]["param"] == "after"


# --- files of a store ---


def test_attached_file_is_shown_changed_read_and_taken_out(call, handbook):
    file_id = upload(call)
    made = call("POST", f"{STORES}/handbook/files", json={"file_id": file_id, "attributes": {"a": 1, "b": 1.5}}).json()
    assert made["object"] == "vector_store.file"
    assert (made["id"], made["status"], made["document_id"]) == (file_id, "completed", "a.txt")
    assert made["attributes"] == {"a": 1, "b": 1.5}
    assert made["vector_store_id"] == handbook
    path = f"{STORES}/handbook/files/{file_id}"
    assert call("GET", path).json() == made
    assert call("POST", path, json={"attributes": {"c": True}}).json()["attributes"] == {"c": True}
    assert call("GET", f"{path}/content").json()["data"] == [{"type": "text", "text": "Parents take 20 days"}]
    assert call("DELETE", path).json() == {"id": file_id, "object": "vector_store.file.deleted", "deleted": True}
    assert call("GET", path).status_code == 404
    assert call("GET", f"/v1/files/{file_id}").status_code == 200


def test_attached_file_takes_its_name_as_id_unless_another_has_it(call, handbook):
    first, second = upload(call), upload(call, data=b"another text")
    attach = f"{STORES}/handbook/files"
    assert call("POST", attach, json={"file_id": first}).json()["document_id"] == "a.txt"
    assert call("POST", attach, json={"file_id": second}).json()["document_id"] == f"a.txt#{second}"
    assert call("POST", attach, json={"file_id": first}).json()["document_id"] == "a.txt"
    assert call("GET", f"{STORES}/handbook").json()["file_counts"]["total"] == 4
    assert call("POST", attach, json={"file_id": second, "document_id": "mine"}).json()["document_id"] == "mine"


def test_attaching_what_is_not_there_is_404(call, handbook):
    answer = call("POST", f"{STORES}/handbook/files", json={"file_id": "file-none"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "file_not_found")
    answer = call("POST", f"{STORES}/none/files", json={"file_id": upload(call)})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "collection_not_found")


def test_failed_file_says_why(call, handbook, platform):
    platform.store.next_state = State.FAILED
    made = call("POST", f"{STORES}/handbook/files", json={"file_id": upload(call)}).json()
    assert (made["status"], made["last_error"]) == ("failed", {"code": "invalid_file", "message": "it is damaged"})
    shown = call("GET", f"/v1/files/{made['id']}").json()
    assert (shown["status"], shown["status_details"]) == ("error", "it is damaged")


def test_store_files_are_paged_filtered_and_ordered(call, handbook, platform):
    platform.store.next_state = State.QUEUED
    ids = [upload(call, f"{name}.txt", name.encode()) for name in "zyx"]
    for file_id in ids:
        call("POST", f"{STORES}/handbook/files", json={"file_id": file_id})
    files = f"{STORES}/handbook/files"
    assert call("GET", f"{STORES}/handbook").json()["status"] == "in_progress"
    page = call("GET", f"{files}?filter=in_progress").json()
    assert [one["id"] for one in page["data"]] == ids[::-1]
    page = call("GET", f"{files}?filter=in_progress&order=asc&limit=2").json()
    assert ([one["id"] for one in page["data"]], page["has_more"]) == (ids[:2], True)
    page = call("GET", f"{files}?order=desc&limit=2&after={ids[1]}").json()
    assert page["data"][0]["id"] == ids[0]
    page = call("GET", f"{files}?limit=1&after={ids[1]}").json()
    assert page["data"][0]["id"] == ids[0]
    assert call("GET", f"{files}?after=file-none").json()["error"]["param"] == "after"


# --- batches ---


def test_batch_is_followed_listed_and_cancelled(call, handbook, platform):
    done = upload(call, "done.txt", b"done")
    call("POST", f"{STORES}/handbook/files", json={"file_id": done})
    platform.store.next_state = State.QUEUED
    body = {"file_ids": [done, upload(call, "b.txt", b"bbb"), upload(call, "c.txt", b"ccc")]}
    made = call("POST", f"{STORES}/handbook/file_batches", json=body).json()
    assert made["object"] == "vector_store.files_batch"
    assert (made["status"], made["file_counts"]["in_progress"], made["file_counts"]["completed"]) == (
        "in_progress",
        2,
        1,
    )
    path = f"{STORES}/handbook/file_batches/{made['id']}"
    assert call("GET", path).json() == made
    page = call("GET", f"{path}/files?limit=2").json()
    assert ([one["id"] for one in page["data"]], page["has_more"]) == (body["file_ids"][:2], True)
    assert len(call("GET", f"{path}/files?filter=in_progress").json()["data"]) == 2
    cancelled = call("POST", f"{path}/cancel").json()
    assert (cancelled["status"], cancelled["file_counts"]["cancelled"]) == ("cancelled", 2)
    assert call("GET", f"{STORES}/handbook/files/{done}").status_code == 200


def test_batch_with_an_unknown_file_attaches_none(call, handbook):
    body = {"file_ids": [upload(call), "file-none"]}
    assert call("POST", f"{STORES}/handbook/file_batches", json=body).status_code == 404
    assert call("GET", f"{STORES}/handbook").json()["file_counts"]["total"] == 2


@given(st.integers(0, 2**40), st.lists(st.text(min_size=1), unique=True, max_size=20))
def test_batch_id_stands_for_its_files(created_at, file_ids):
    try:
        for file_id in file_ids:
            file_id.encode()
    except UnicodeEncodeError:
        return
    batch = Batch(created_at, tuple(file_ids))
    assert Batch.read(batch.id) == batch


@given(st.text())
def test_batch_id_that_stands_for_nothing_is_not_found(text):
    for batch_id in (text, "vsfb_" + text):
        with pytest.raises(NotFound):
            Batch.read(batch_id)


def test_batch_id_that_unpacks_without_end_is_not_found():
    bomb = "vsfb_" + base64.urlsafe_b64encode(zlib.compress(b"[" + b" " * 50_000_000)).decode()
    with pytest.raises(NotFound):
        Batch.read(bomb)


# --- documents (ours) ---


def test_texts_handed_in_make_the_collection_and_are_listed_by_id(call):
    documents = [{"document_id": f"d{i}", "text": f"text {i}", "title": f"T{i}"} for i in (2, 0, 1)]
    answer = call("POST", f"{STORES}/new/documents", json={"documents": documents})
    assert answer.status_code == 202
    assert [(one["document_id"], one["outcome"]) for one in answer.json()["submitted"]] == [
        ("d2", "queued"), ("d0", "queued"), ("d1", "queued"),
    ]  # fmt: skip
    page = call("GET", f"{STORES}/new/documents?limit=2").json()
    assert [one["document_id"] for one in page["documents"]] == ["d0", "d1"]
    assert (page["has_more"], page["last_id"]) == (True, "d1")
    page = call("GET", f"{STORES}/new/documents?after=d1").json()
    assert ([one["document_id"] for one in page["documents"]], page["has_more"]) == (["d2"], False)
    again = call("POST", f"{STORES}/new/documents", json={"documents": documents[:1]}).json()
    assert again["submitted"][0]["outcome"] == "unchanged"


def test_document_is_put_shown_and_deleted_under_an_id_with_slashes(call):
    path = f"{STORES}/new/documents/a/b%20c.md"
    answer = call(
        "PUT", path, content="# Hello \u00e9".encode(), params={"attributes": '{"year": 2024, "x": 1.5, "draft": true}'}
    )
    assert answer.status_code == 202
    assert answer.json()["document_id"] == "a/b c.md"
    shown = call("GET", path).json()
    assert (shown["filename"], shown["attributes"]) == ("b c.md", {"year": 2024, "x": 1.5, "draft": True})
    assert "text" not in shown
    assert call("GET", f"{path}?text=true").json()["text"] == "# Hello \u00e9"
    assert call("DELETE", path).json() == {"id": "a/b c.md", "object": "document.deleted", "deleted": True}
    answer = call("GET", path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "document_not_found")


def test_document_put_with_attributes_in_a_header_and_names_in_the_query(call):
    query = {"filename": "x.txt", "title": "T"}
    call("PUT", f"{STORES}/new/documents/x", content=b"a", params=query, headers={"attributes": '{"a": "b"}'})
    shown = call("GET", f"{STORES}/new/documents/x").json()
    assert (shown["filename"], shown["title"], shown["attributes"]) == ("x.txt", "T", {"a": "b"})


@pytest.mark.parametrize("attributes", ["{", "[]", '{"a": null}', '{"a": {"b": 1}}', '{"": 1}', '{"a": NaN}'])
def test_attributes_that_are_no_flat_object_are_refused(call, attributes):
    answer = call("PUT", f"{STORES}/new/documents/x", content=b"a", params={"attributes": attributes})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"].split(".")[0] == "attributes"


@pytest.mark.parametrize("store", ["-a", "a%2Fb", "x" * 129, "a%00"])
def test_document_put_into_a_store_that_can_not_be_named_is_refused(call, store):
    assert call("PUT", f"{STORES}/{store}/documents/x", content=b"a").status_code in (400, 404)
    assert call("GET", STORES).json()["data"] == []


def test_document_put_into_an_id_that_is_not_there_makes_nothing(call):
    assert call("PUT", f"{STORES}/vs_none/documents/x", content=b"a").status_code == 404


@pytest.mark.parametrize(
    ("documents", "param"),
    [
        ([], "documents"),
        ([{"text": "a"}], "documents[0].document_id"),
        ([{"document_id": "", "text": "a"}], "documents[0].document_id"),
        ([{"document_id": "a\nb", "text": "a"}], "documents[0].document_id"),
        ([{"document_id": "a", "text": "a", "meta": {}}], "documents[0].meta"),
        ([{"document_id": "a", "text": "a", "attributes": {"a": []}}], "documents[0].attributes.a"),
        ([{"document_id": "a", "text": "a"}] * 1001, "documents"),
    ],
)
def test_texts_that_are_off_are_refused_by_name(call, documents, param):
    answer = call("POST", f"{STORES}/new/documents", json={"documents": documents})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert call("GET", f"{STORES}/new").status_code == 404


def test_empty_document_is_empty_and_completed(call):
    call("PUT", f"{STORES}/new/documents/x.txt", content=b"")
    assert call("GET", f"{STORES}/new/documents/x.txt").json()["state"] == "empty"
    assert call("GET", f"{STORES}/new").json()["file_counts"]["completed"] == 1
