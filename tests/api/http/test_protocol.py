from collections.abc import Callable

import pytest

from tests.api.conftest import AnotherApi, StartApi
from tests.api.wire import SHORT_WAV, form, refused, wire
from tests.conftest import User


@pytest.fixture(scope="module")
def api(start_api: StartApi) -> AnotherApi:
    return start_api({})


@pytest.mark.parametrize(
    "sent",
    [
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST /record HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /record HTTP/1.1\r\nContent-Length: 1" + b"0" * 30 + b"\r\n\r\n",
    ],
)
def test_malformed_http_gets_a_problem(api: AnotherApi, sent: bytes) -> None:
    with wire(api.url) as connection:
        connection.send(sent)
        refused(connection.answer(), 400, "bad_request")


@pytest.mark.parametrize("piece", [b"a" * 1000, b"X: a\r\n" * 100], ids=["one", "many"])
def test_endless_headers_are_refused(api: AnotherApi, piece: bytes) -> None:
    with wire(api.url) as connection:
        connection.send(b"GET / HTTP/1.1\r\nX: ", *[piece] * 1000)
        refused(connection.answer(), 431, "request_header_fields_too_large")
        assert connection.is_closed()


def test_an_endless_url_is_refused(api: AnotherApi) -> None:
    with wire(api.url) as connection:
        connection.send(b"GET /", b"a" * 10**6)
        refused(connection.answer(), 431, "request_header_fields_too_large")


def test_header_limit_applies_per_request(api: AnotherApi) -> None:
    for _ in range(20):
        assert api.client.get("/health/live", headers={"X": "a" * 10_000}).is_success


def test_a_body_beyond_content_length_is_refused(
    api: AnotherApi, user: User, left_behind: Callable[[], list[object]]
) -> None:
    body = form(SHORT_WAV)
    with wire(api.url) as connection:
        connection.begin(user, ("Content-Length", len(body) - 10))
        connection.send(body)
        refused(connection.answer(), 422, "bad_upload")
    assert not left_behind()
