"""uvicorn's HTTP protocol with six changes. `python -m api` uses it.

- It reads larger pieces.
- It limits the size of a request's head.
- It limits the number of pipelined requests.
- It answers malformed requests with a problem instead of plain text.
- It reads a request that offers an upgrade as HTTP/1.1 (RFC 9110, 7.8).
- It sends a client that begins with HTTP/2 back to HTTP/1.1.
"""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, ClassVar, cast

from httptools import HttpRequestParser
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from api.http.http1_parser import Http1Parser
from api.http.http2_refusal import PREFACE, Http2Refusal
from api.http.large_reads import LargeReads
from api.http.titles import status_title
from api.schemas import Problem

REFUSAL_HEADERS = {
    "content-type": "application/problem+json",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "connection": "close",
}
MAX_HEAD_BYTES = 64 * 2**10
MAX_PIPELINED = 100
"""Maximum number of requests of a connection that wait for the answer to an earlier request. Each takes 3 KB."""
MAX_HTTP2_BYTES = 4 * MAX_HEAD_BYTES
"""More than a client may send before it gets an answer: HTTP/2 limits bodies to 64 KiB then."""
CLOSE_DELAY_S = 1
_PREFACE_LINE_BYTES = 16  # no other request begins with the preface's first line


class TooManyPipelined(Exception):
    """Makes the parser stop. uvicorn then calls `send_400_response`."""


class Protocol(HttpToolsProtocol):
    _head_bytes = 0
    """Bytes since the end of the last body: heads, and also trailers, because uvicorn keeps both in memory."""
    _is_refused = False
    _http2: Http2Refusal | None = None
    cross_origin_headers: ClassVar[Mapping[str, str]] = {}
    """The headers of refusals, so that scripts of other origins can read them."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._http1_parser = Http1Parser(self)
        self.parser = cast("HttpRequestParser", self._http1_parser)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        transport.set_protocol(LargeReads(self))

    def data_received(self, data: bytes) -> None:
        # Compared as a slice, because `LargeReads` passes a memoryview.
        starts_http2 = data[:_PREFACE_LINE_BYTES] == PREFACE[:_PREFACE_LINE_BYTES]
        if self._http2 or (starts_http2 and self._is_unused()):
            self._refuse_http2(data)
            return
        while data and not self._is_refused:
            # A large piece may contain 200,000 headers, which take seconds.
            size = len(data) if self._is_receiving() else MAX_HEAD_BYTES
            self._parse(data[:size])
            data = data[size:]

    def _parse(self, data: bytes) -> None:
        self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes <= MAX_HEAD_BYTES:
            return
        if self._is_answering():
            self._is_refused = True
            self.transport.close()
        else:
            self._refuse(
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
                f"The URL and headers are larger than {MAX_HEAD_BYTES} bytes. Send fewer headers or a shorter URL.",
            )

    def _is_unused(self) -> bool:
        return not self._head_bytes and cast("RequestResponseCycle | None", self.cycle) is None

    def _refuse_http2(self, data: bytes) -> None:
        self._is_refused = True
        self._http2 = self._http2 or Http2Refusal()
        self._head_bytes += len(data)
        if self._head_bytes > MAX_HTTP2_BYTES:
            self.transport.close()
        elif not self.transport.is_closing():
            self.transport.write(self._http2.answer(data))

    def on_message_begin(self) -> None:
        # uvicorn reads on after each answer, even if thousands of requests still wait for theirs.
        if len(self.pipeline) >= MAX_PIPELINED:
            raise TooManyPipelined
        super().on_message_begin()

    def on_body(self, body: bytes) -> None:
        # uvicorn copies each piece into a bytearray, and the bytearray into bytes. A single piece needs no copy.
        received = cast("bytes | bytearray", self.cycle.body)
        if not received:
            self.cycle.body, body = cast("bytearray", body), b""
        elif isinstance(received, bytes):
            self.cycle.body = bytearray(received)
        super().on_body(body)
        self._head_bytes = 0

    def on_message_complete(self) -> None:
        if self._http1_parser.offers_upgrade():
            return
        super().on_message_complete()
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        if not self._http1_parser.offers_upgrade():
            super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        if self._is_receiving():
            self._refuse(
                HTTPStatus.BAD_REQUEST,
                "The body is not valid chunked encoding. Each chunk starts with its size in hexadecimal. "
                "Send the request again.",
            )
            # The application waits for the rest of the body. Tell it that there will be none.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        elif self._is_answering():
            # Garbage or too many requests follow a request. That request still gets its answer.
            self.cycle.keep_alive = False
            self._is_refused = True
        else:
            self._refuse(HTTPStatus.BAD_REQUEST, f"{msg} The calls are described at /docs.")

    def _is_answering(self) -> bool:
        running = cast("RequestResponseCycle | None", self.cycle)
        return running is not None and not running.response_complete

    def _is_receiving(self) -> bool:
        """Return whether the application reads a body and has not begun to answer."""
        return self._is_answering() and self.cycle.more_body and not self.cycle.response_started

    def _refuse(
        self, status: HTTPStatus, detail: str, code: str = "", headers: Mapping[str, str] = {}
    ) -> None:
        problem = Problem(
            title=status_title(status),
            status=status,
            code=code or status.name.lower(),
            detail=detail,
        )
        body = problem.model_dump_json().encode()
        sent = {
            **REFUSAL_HEADERS,
            **self.cross_origin_headers,
            **headers,
            "content-length": str(len(body)),
        }
        lines = [f"{name}: {value}\r\n" for name, value in sent.items()]
        self.transport.write(STATUS_LINE[status] + "".join([*lines, "\r\n"]).encode() + body)
        # Closing while data arrives would reset the connection, and the client might lose this answer.
        self._is_refused = True
        self.loop.call_later(CLOSE_DELAY_S, self.transport.close)
