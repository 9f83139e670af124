"""Limits the connections of a process: their number, and the time for a request's head.

Without this module, uvicorn waits for the rest of a head for ever, and a process without free file descriptors accepts
no connection. At the limit, the oldest connection without a request is closed, so half-sent heads never keep others
out. Requests that are being answered are never interrupted. If all connections are busy like that, new ones get a 503.
"""

import asyncio
import resource
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import ClassVar

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from api.http.protocol import Protocol
from api.http.shares import Shares
from api.http.turns import Turns

HEAD_TIMEOUT_S = 10
RESERVED_DESCRIPTORS = 128
"""File descriptors for the database, Redis, logs, libraries, and connections that are being refused."""
FIRST_PATHS = ("/health/live",)
"""Paths that are answered first, so that a busy process does not look dead."""
MAX_REFUSED = 64
DESCRIPTORS_PER_CONNECTION = 2
"""File descriptors of a connection: the socket, and the file that is uploaded or downloaded."""


def raise_descriptor_limit(max_connections: int) -> int:
    """Raise the process's limit of open files to its maximum. Return the number of connections that it allows."""
    needed = DESCRIPTORS_PER_CONNECTION * max_connections + RESERVED_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(soft, needed) if hard == resource.RLIM_INFINITY else hard
    with suppress(OSError, ValueError):  # macOS reports a higher limit than it allows
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = (descriptors - RESERVED_DESCRIPTORS) // DESCRIPTORS_PER_CONNECTION
    return max(1, min(max_connections, allowed))


class Connections:
    """The open connections of this process. `idle` are those without a complete request, oldest first."""

    def __init__(self, shares: Shares) -> None:
        self.shares = shares
        self.starts = Turns()
        self.refused = 0
        self.idle: dict[LimitedProtocol, None] = {}

    def make_room(self, address: str) -> bool:
        """Close idle connections to make room for one from this address. Return False if there is no room."""
        if self.shares.is_full_for(address):
            self._close_oldest(address)
        if self.shares.is_full():
            self._close_oldest()
        return not self.shares.is_full_for(address) and not self.shares.is_full()

    def _close_oldest(self, address: str | None = None) -> None:
        for connection in self.idle:
            if address in (None, connection.address):
                connection.drop()
                return


class LimitedProtocol(Protocol):
    open_connections: ClassVar[Connections]
    """Set by `limited`."""
    address = ""
    _was_let_in = False
    _is_counted = False
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        self.address = self.client[0] if self.client else ""
        if self.open_connections.make_room(self.address):
            self.open_connections.shares.take(self.address)
            self._is_counted = self._was_let_in = True
            self._expect_head()
        else:
            self._refuse_connection()

    def _refuse_connection(self) -> None:
        self.open_connections.refused += 1
        self._refuse(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "There are too many open connections. Try again in a few seconds.",
            code="too_many_connections",
            headers={"retry-after": "5"},
        )
        # `_refuse` closes later, so that the client gets the answer. Refused connections must not use up descriptors.
        if self.open_connections.refused > MAX_REFUSED:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if not self._was_let_in:
            self.open_connections.refused -= 1
        self._stop_expecting_head()
        self._leave()

    def data_received(self, data: bytes) -> None:
        if self._head_timer is None and not self._is_refused and not self._is_answering():
            self._expect_head()
        super().data_received(data)

    def on_headers_complete(self) -> None:
        self._stop_expecting_head()
        super().on_headers_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        if cycle.scope["path"] in FIRST_PATHS:
            super()._start_asgi_task(cycle, app)
        else:
            self.open_connections.starts.call(partial(self._start, cycle, app))

    def _start(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Start a request, unless its client has left in the meantime."""
        if not self.transport.is_closing():
            super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._is_counted and not self._is_answering():
            self.open_connections.idle[self] = None

    def drop(self) -> None:
        """Make room for another connection."""
        self._leave()
        self.transport.close()

    def _expect_head(self) -> None:
        self.open_connections.idle[self] = None
        self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, self._give_up_head)

    def _stop_expecting_head(self) -> None:
        self.open_connections.idle.pop(self, None)
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up_head(self) -> None:
        self._head_timer = None
        if self._head_bytes and not self._is_refused:
            detail = (
                f"The request's head was not complete within {HEAD_TIMEOUT_S} s. Send it again."
            )
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, detail)
        else:
            self.transport.close()

    def _leave(self) -> None:
        self.open_connections.idle.pop(self, None)
        if self._is_counted:
            self._is_counted = False
            self.open_connections.shares.give_back(self.address)


def limited(
    connections: Connections, cross_origin_headers: Mapping[str, str]
) -> type[LimitedProtocol]:
    """Return a protocol class for uvicorn that counts its connections there."""
    attributes = {"open_connections": connections, "cross_origin_headers": cross_origin_headers}
    return type("LimitedProtocol", (LimitedProtocol,), attributes)
