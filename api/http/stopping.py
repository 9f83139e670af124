"""Ends requests in time when the process stops, so that their clients get an answer instead of a closed connection."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.errors import ShuttingDown


class Stopping:
    """Knows whether this process stops, and ends the blocks that may not delay it."""

    def __init__(self) -> None:
        self._began_s: float | None = None
        self._running: dict[asyncio.Timeout, float] = {}

    def begin(self) -> None:
        self._began_s = asyncio.get_running_loop().time()
        for timeout, grace_s in self._running.items():
            self._shorten(timeout, grace_s)

    @asynccontextmanager
    async def limit(
        self, timeout_s: float | None = None, *, grace_s: float = 0
    ) -> AsyncIterator[asyncio.Timeout]:
        """Raise TimeoutError in the block after `timeout_s`, or ShuttingDown `grace_s` after the stop began."""
        timeout = asyncio.timeout(timeout_s)
        try:
            async with timeout:
                self._running[timeout] = grace_s
                self._shorten(timeout, grace_s)
                yield timeout
        except TimeoutError as error:
            if timeout.expired() and self._is_over(grace_s):
                raise ShuttingDown from error
            raise
        finally:
            self._running.pop(timeout, None)

    def _shorten(self, timeout: asyncio.Timeout, grace_s: float) -> None:
        if self._began_s is None:
            return
        until_s = self._began_s + grace_s
        before_s = timeout.when()
        timeout.reschedule(until_s if before_s is None else min(until_s, before_s))

    def _is_over(self, grace_s: float) -> bool:
        now_s = asyncio.get_running_loop().time()
        return self._began_s is not None and now_s >= self._began_s + grace_s


class AnswerCancelled:
    """Sends an answer for each request that uvicorn cancels at the end of its grace time. It would send plain text."""

    def __init__(self, app: ASGIApp, answer: ASGIApp) -> None:
        self._app = app
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_started = False

        async def send_and_watch(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        try:
            await self._app(scope, receive, send_and_watch)
        except asyncio.CancelledError:
            if has_started or scope["type"] != "http":
                raise
            await self._answer(scope, receive, send)
