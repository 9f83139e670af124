import asyncio
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import pytest
import uvloop
from starlette.responses import Response
from uvicorn import Config
from uvicorn.server import ServerState

from api.http.protocol import MAX_PIPELINED, Protocol
from tests.api.conftest import AnotherApi, StartApi
from tests.api.wire import SHORT_WAV, eventually, form, part, refused, wire
from tests.conftest import User

if TYPE_CHECKING:
    from uvicorn._types import ASGIApplication


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


@pytest.mark.parametrize("piece_bytes", [1, 100, 10**6])
@pytest.mark.parametrize("framing", ["Content-Length", "Transfer-Encoding"])
def test_an_offered_upgrade_is_ignored(
    api: AnotherApi, user: User, piece_bytes: int, framing: str
) -> None:
    body = form(SHORT_WAV[:2000])
    with wire(api.url) as connection:
        for number in range(2):
            connection.begin(
                user,
                ("Connection", "Upgrade, HTTP2-Settings"),
                ("Upgrade", "h2c"),
                ("HTTP2-Settings", "AAMAAABkAAQCAAAAAAIAAAAA"),
                (framing, len(body) if framing == "Content-Length" else "chunked"),
                if_exists="rename",
            )
            pieces = [body[at : at + piece_bytes] for at in range(0, len(body), piece_bytes)]
            if framing == "Content-Length":
                connection.send(*pieces)
            else:
                connection.send_chunks(pieces)
                connection.end_chunks()
            answer = connection.answer()
            assert answer.status_code == 202, answer.text
            assert answer.json()["filename"] == ("wire (2).wav" if number else "wire.wav")


@pytest.mark.parametrize("offered", [b"h2c", b"websocket", b"TLS/1.0"])
def test_an_offer_keeps_the_connection(api: AnotherApi, offered: bytes) -> None:
    request = b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n"
    with wire(api.url) as connection:
        for _ in range(3):
            connection.send(request % offered)
            assert connection.answer().json() == {"status": "ok"}


def test_pipelined_requests_with_offers_are_answered(api: AnotherApi) -> None:
    request = (
        b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: Upgrade%s\r\nUpgrade: h2c\r\n\r\n"
    )
    with wire(api.url) as connection:
        connection.send(request % b"" * 2 + request % b", close")
        lines = []
        while line := connection.line():
            lines.append(line)
    assert b"".join(lines).count(b'{"status":"ok"}') == 3


@pytest.mark.parametrize("offer", [b"", b"Connection: Upgrade\r\nUpgrade: h2c\r\n"])
def test_pipelined_requests_are_limited(api: AnotherApi, offer: bytes) -> None:
    request = b"GET /health/live HTTP/1.1\r\nHost: x\r\n" + offer + b"\r\n"
    with wire(api.url) as connection:
        connection.send(request * 3 * MAX_PIPELINED)
        received = b"".join(iter(connection.line, b""))
    assert received.count(b"HTTP/1.1 200 OK") == MAX_PIPELINED + 1
    assert b" 400 " not in received


class Answer(asyncio.Protocol):
    """Reads the first line of an answer."""

    def __init__(self) -> None:
        self.line = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        if not self.line.done():
            self.line.set_result(data.partition(b"\r\n")[0])


async def _first_line_after(sent: bytes) -> bytes:
    """Send everything before the protocol begins to read, so that it gets large pieces."""
    config = Config(cast("ASGIApplication", Response()), log_config=None, ws="none")
    config.load()
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    transport, answer = await loop.create_connection(Answer, sock=theirs)
    transport.write(sent)
    served, _ = await loop.connect_accepted_socket(
        lambda: Protocol(config, ServerState(), {}), ours
    )
    line: bytes = await answer.line
    transport.close()
    served.close()
    return line


def test_a_large_head_in_one_piece_is_refused() -> None:
    for headers, status in ((1000, b"200"), (40_000, b"431")):
        head = b"GET / HTTP/1.1\r\n" + b"a:\r\n" * headers + b"\r\n"
        line = uvloop.run(_first_line_after(head))
        assert line.startswith(b"HTTP/1.1 " + status)


def test_a_connect_request_is_refused(api: AnotherApi) -> None:
    with wire(api.url) as connection:
        connection.send(b"CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n")
        assert connection.answer().status_code >= 400


@pytest.mark.parametrize("size", [b"zz", b"-1", b"0x10", b"", b"f" * 20])
@pytest.mark.parametrize("chunks", [0, 1])
def test_a_malformed_chunk_is_refused_at_once(
    api: AnotherApi, user: User, left_behind: Callable[[], list[object]], size: bytes, chunks: int
) -> None:
    with wire(api.url) as connection:
        connection.begin(user, ("Transfer-Encoding", "chunked"))
        connection.send_chunks([part(SHORT_WAV)] * chunks)
        if chunks:
            eventually(lambda: len(left_behind()) == 2)
        connection.send(size + b"\r\n")
        # later it would be 408
        detail = refused(connection.answer(), 400, "bad_request")
        assert "size in hexadecimal" in detail
        assert connection.is_closed()
    eventually(lambda: not left_behind())
