"""uvicorn's HTTP, mended: `uvicorn --http api.protocol:Protocol`.

By itself uvicorn holds a request's head of any size in memory, and answers a malformed one in plain text.
"""

from http import HTTPStatus
from typing import cast

from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from api.schemas import Problem

MAX_HEAD_BYTES = 64 * 2**10
LINGER_S = 1


class Protocol(HttpToolsProtocol):
    _head_bytes = 0
    _in_head = True
    _is_refused = False

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return
        super().data_received(data)
        if not self._in_head:
            return
        self._head_bytes += len(data)
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
                f"The address and headers are larger than {MAX_HEAD_BYTES} bytes. Send fewer of them.",
            )

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes, self._in_head = 0, True

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        running = cast("RequestResponseCycle | None", self.cycle)
        if running is None or running.response_complete:
            self._refuse(HTTPStatus.BAD_REQUEST, f"{msg} The calls are described at /docs.")
        else:
            # What follows a request is no request. The running one keeps its answer.
            running.keep_alive = False
            self._is_refused = True

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        problem = Problem(
            title=status.phrase, status=status, code=status.name.lower(), detail=detail
        )
        body = problem.model_dump_json().encode()
        head = f"content-type: application/problem+json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        self.transport.write(STATUS_LINE[status] + head.encode() + body)
        # To close while more arrives would reset the connection, and the client might never read this.
        self._is_refused = True
        self.loop.call_later(LINGER_S, self.transport.close)
