"""A request's body as it arrives, and what becomes of a body that nobody wants to read.

`arriving` gives the chunks; a client that is silent for too long, or gone, is an error of ours. `Linger` sees to it
that an answer given before the body's end, such as a refusal, reaches the client: closing a socket with unread bytes
resets it, and the answer is lost (RFC 9112, 9.6). So what still comes is dropped, and the connection closed then.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.errors import BadUpload, UploadTimeout

LINGER_S = 5
"""how long a refused client may be silent before its connection is closed"""
MOST_LINGER_S = 30
"""how long it may go on sending all the same"""


async def arriving(request: Request, idle_timeout_s: float) -> AsyncIterator[bytes]:
    """Raises UploadTimeout, BadUpload."""
    chunks = request.stream()
    try:
        while True:
            async with asyncio.timeout(idle_timeout_s):
                chunk = await anext(chunks, None)
            if chunk is None:
                return
            yield chunk
    except TimeoutError as error:
        raise UploadTimeout from error
    except ClientDisconnect as error:
        raise BadUpload from error


class Linger:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _has_body(scope):
            exchange = _Exchange(receive, send)
            receive, send = exchange.receive, exchange.send
        await self._app(scope, receive, send)


class _Exchange:
    """A request with a body, and its answer."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._is_read = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._is_read = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        if not self._is_read and message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
        elif not self._is_read and not message.get("more_body", False):
            await self._send({**message, "more_body": True})
            await self._drop_the_rest()
            message = {"type": "http.response.body"}
        await self._send(message)

    async def _drop_the_rest(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(MOST_LINGER_S):
                while not self._is_read:
                    async with asyncio.timeout(LINGER_S):
                        await self.receive()


def _has_body(scope: Scope) -> bool:
    headers = dict(scope["headers"])
    return b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"
