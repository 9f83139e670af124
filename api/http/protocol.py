"""uvicorn's HTTP protocol with two fixes: `uvicorn --http api.http.protocol:Protocol`.

It limits the size of a request's head, and answers malformed requests with a problem instead of plain text.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import cast

from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from api.schemas import Problem

REFUSAL_HEADERS = {
    "content-type": "application/problem+json",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "connection": "close",
}
MAX_HEAD_BYTES = 64 * 2**10
CLOSE_DELAY_S = 1


class Protocol(HttpToolsProtocol):
    _head_bytes = 0
    """Counted from the body's last byte, because uvicorn keeps trailers in memory too."""
    _is_refused = False

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return
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

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        self._head_bytes = 0

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._head_bytes = 0

    def send_400_response(self, msg: str) -> None:
        if self._is_answering():
            # Garbage after a request. The request itself still gets its answer.
            self.cycle.keep_alive = False
            self._is_refused = True
        else:
            self._refuse(HTTPStatus.BAD_REQUEST, f"{msg} The calls are described at /docs.")

    def _is_answering(self) -> bool:
        running = cast("RequestResponseCycle | None", self.cycle)
        return running is not None and not running.response_complete

    def _refuse(
        self, status: HTTPStatus, detail: str, code: str = "", headers: Mapping[str, str] = {}
    ) -> None:
        problem = Problem(
            title=status.phrase, status=status, code=code or status.name.lower(), detail=detail
        )
        body = problem.model_dump_json().encode()
        sent = {**REFUSAL_HEADERS, **headers, "content-length": str(len(body))}
        lines = [f"{name}: {value}\r\n" for name, value in sent.items()]
        self.transport.write(STATUS_LINE[status] + "".join([*lines, "\r\n"]).encode() + body)
        # Closing while data arrives would reset the connection, and the client might lose this answer.
        self._is_refused = True
        self.loop.call_later(CLOSE_DELAY_S, self.transport.close)
