"""HEAD, OPTIONS and `Allow` on every path."""

import re
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.api.wire import SHORT_WAV, eventually, part, refused, wav_head, wire
from tests.conftest import User, new_user

OWN_HEADERS = {"date", "x-request-id"}
PAGE = ("/", "/app.js", "/docs", "/openapi.json", "/static-offline-docs/swagger-ui.css")


@pytest.fixture(scope="module")
def described(client: httpx.Client) -> dict[str, dict[str, Any]]:
    """Return the calls of each path, by their methods."""
    paths = client.get("/openapi.json").json()["paths"]
    found = {
        path: {method.upper(): call for method, call in calls.items()}
        for path, calls in paths.items()
    }
    return found | {path: {"GET": {}} for path in PAGE}


@pytest.fixture(scope="module")
def listener(client: httpx.Client) -> User:
    return new_user(client)


@pytest.fixture(scope="module")
def record_id(listener: User) -> str:
    accepted: str = listener.upload(SHORT_WAV, "tone.wav").json()["id"]
    listener.wait(accepted)
    return accepted


@pytest.fixture
def uploading_id(service_url: str, user: User) -> Iterator[str]:
    """Return the id of a record that is not finished during the test."""
    with wire(service_url) as uploading:
        uploading.begin(user, ("Transfer-Encoding", "chunked"))
        uploading.send_chunks([part(wav_head(10**6))])

        def records() -> list[dict[str, str]]:
            found: list[dict[str, str]]
            found = user.client.get("/records", params=user.credentials).json()["records"]
            return found

        eventually(lambda: bool(records()))
        yield records()[0]["id"]


def test_options_name_the_allowed_methods(
    client: httpx.Client, described: dict[str, dict[str, Any]], record_id: str
) -> None:
    for path, calls in described.items():
        methods = set(calls)
        url = _url(path, record_id)
        allowed = methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())
        answer = client.options(url)
        assert (answer.status_code, answer.content) == (204, b"")
        assert set(answer.headers["Allow"].split(", ")) == allowed, path
        wrong = client.patch(url)
        detail = refused(wrong, 405, "method_not_allowed")
        assert detail.startswith(f"This path has {' and '.join(sorted(methods))}. "), path
        assert wrong.headers["Allow"] == answer.headers["Allow"]


def test_options_name_the_methods_of_the_server(
    service_url: str, described: dict[str, dict[str, Any]]
) -> None:
    with wire(service_url) as connection:
        connection.send(b"OPTIONS * HTTP/1.1\r\nHost: test\r\n\r\n")
        answer = connection.answer()
    assert answer.status_code == 204
    methods = {method for calls in described.values() for method in calls}
    assert set(answer.headers["Allow"].split(", ")) == methods | {"HEAD", "OPTIONS"}


def test_options_of_an_unknown_path_are_not_found(client: httpx.Client) -> None:
    detail = refused(client.options("/nothing"), 404, "not_found")
    assert detail.startswith("There is no such path. ")


def test_head_has_the_headers_of_get(
    listener: User, described: dict[str, dict[str, Any]], record_id: str
) -> None:
    for path, calls in described.items():
        url = _url(path, record_id)
        query = listener.credentials if "security" in calls.get("GET", {}) else {}
        if path == "/record":
            query = {"id": record_id, "user_id": listener.id}
        head = listener.client.head(url, params=query)
        if "GET" not in calls:
            assert (head.status_code, head.content) == (405, b"")
            continue
        get = listener.client.get(url, params=query)
        assert (head.status_code, head.content) == (200, b""), path
        assert set(head.headers) - OWN_HEADERS == set(get.headers) - OWN_HEADERS - _body_framing(
            get
        )
        if path != "/metrics":
            assert head.headers.get("Content-Length") == get.headers.get("Content-Length"), path


def _url(path: str, record_id: str) -> str:
    """Fill in the parameters of a path."""
    return re.sub(r"\{\w+\}", record_id, path)


def _body_framing(answer: httpx.Response) -> set[str]:
    return {"transfer-encoding"} & set(answer.headers)


def test_head_refuses_as_get_does(client: httpx.Client) -> None:
    for path in ("/records", "/record", "/nothing"):
        head, get = client.head(path), client.get(path)
        assert head.status_code == get.status_code >= 400
        assert head.content == b""
        assert head.headers["Content-Length"] == get.headers["Content-Length"]


def test_head_never_waits(user: User, uploading_id: str) -> None:
    before_s = time.monotonic()
    events = user.client.head(f"/records/{uploading_id}/events")
    assert events.status_code == 200
    assert events.headers["Content-Type"].startswith("text/event-stream")
    prefer = {"Prefer": "wait=30"}
    assert user.client.head(f"/records/{uploading_id}", headers=prefer).status_code == 200
    for link in (f"/records/{uploading_id}/mp3", f"/record?id={uploading_id}&user_id={user.id}"):
        answer = user.client.head(link, headers=prefer)
        assert answer.status_code == 409
        assert answer.headers["Retry-After"]
    assert time.monotonic() - before_s < 5


def test_a_download_waits_as_long_as_asked(user: User, uploading_id: str) -> None:
    before_s = time.monotonic()
    answer = user.client.get(f"/records/{uploading_id}/mp3", headers={"Prefer": "wait=1"})
    refused(answer, 409, "record_not_ready")
    assert 0.9 < time.monotonic() - before_s < 10
