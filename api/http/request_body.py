"""Streaming request bodies, and draining the rest of a body after an early refusal.

Closing a socket with unread bytes resets the connection, and the client loses the answer (RFC 9112, 9.6). So if an
answer is complete before the body, `DrainRefusedBodies` reads and drops the rest, then closes the connection.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from http import HTTPStatus
from typing import NamedTuple

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.stopping import Stopping
from shared.errors import BadUpload, UploadTimeout

DRAIN_IDLE_TIMEOUT_S = 5
"""Close the connection of a refused client that sends nothing for this time."""
DRAIN_SLOW_TIMEOUT_S = 1
"""A shorter time after a 408, because this client has already been slow or silent."""
DRAIN_TIMEOUT_S = 30
"""Close the connection of a refused client after this time, even if it is still sending."""


FIRST_PAUSE_S = 6
"""Longest pause of a client that has sent nothing yet."""
STOP_GRACE_S = 4
"""A body may arrive for this time after the process began to stop. The rest of its grace time is for the answer."""


class BodyLimits(NamedTuple):
    """A client may pause for `idle_timeout_s` as long as it sends `least_bytes_per_s` on average."""

    idle_timeout_s: float
    least_bytes_per_s: int

    @property
    def first_pause_s(self) -> float:
        return self.next_pause_s(FIRST_PAUSE_S, 0, 0)

    def next_pause_s(self, pause_s: float, waited_s: float, received_bytes: int) -> float:
        """Return how long the client may pause now. Each byte allows it to be silent for a while."""
        if not self.least_bytes_per_s:
            return self.idle_timeout_s
        earned_s = received_bytes / self.least_bytes_per_s
        return min(pause_s - waited_s + earned_s, self.idle_timeout_s)


async def body_chunks(request: Request, limits: BodyLimits) -> AsyncIterator[bytes]:
    """Yield the body as it arrives. Raises UploadTimeout, BadUpload, ShuttingDown."""
    stopping: Stopping = request.state.stopping
    chunks = request.stream()
    pause_s = limits.first_pause_s
    try:
        while True:
            started_s = time.monotonic()
            async with stopping.limit(pause_s, grace_s=STOP_GRACE_S):
                chunk = await anext(chunks, None)
            if chunk is None:
                return
            # Only the client's pauses count, not the time that the service takes to store the chunk.
            pause_s = limits.next_pause_s(pause_s, time.monotonic() - started_s, len(chunk))
            yield chunk
    except TimeoutError as error:
        raise UploadTimeout from error
    except ClientDisconnect as error:
        raise BadUpload from error


class DrainRefusedBodies:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _has_body(scope):
            draining = _DrainBeforeEnd(receive, send)
            receive, send = draining.receive, draining.send
        await self._app(scope, receive, send)


class _DrainBeforeEnd:
    """Wraps the `receive` and `send` of one request. Drains the request's body before it sends the answer's end."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._is_read = False
        self._idle_timeout_s = DRAIN_IDLE_TIMEOUT_S

    async def receive(self) -> Message:
        message = await self._receive()
        self._is_read = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        if not self._is_read and message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
            if message["status"] == HTTPStatus.REQUEST_TIMEOUT:
                self._idle_timeout_s = DRAIN_SLOW_TIMEOUT_S
        elif not self._is_read and not message.get("more_body", False):
            await self._send({**message, "more_body": True})
            await self._drain()
            message = {"type": "http.response.body"}
        await self._send(message)

    async def _drain(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_TIMEOUT_S):
                while not self._is_read:
                    async with asyncio.timeout(self._idle_timeout_s):
                        await self.receive()


def _has_body(scope: Scope) -> bool:
    headers = dict(scope["headers"])
    return b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"
