"""Ends requests in time when the process stops, so that their clients get an answer instead of a closed connection."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.errors import ShuttingDown

ANSWER_GRACE_S = 4.5
"""Requests get an answer this long after the process began to stop. uvicorn cancels them soon after."""


class Stopping:
    """Knows if this process is stopping, and ends the blocks that must not delay the stop."""

    def __init__(self) -> None:
        self._began_s: float | None = None
        self._running: dict[asyncio.Timeout, float] = {}
        self.unfinished: set[Callable[[], Awaitable[None]]] = set()
        """Functions that end the unfinished requests with an answer."""
        self._answering: asyncio.Task[None] | None = None

    def begin(self) -> None:
        self._began_s = asyncio.get_running_loop().time()
        self._answering = asyncio.create_task(self._answer_unfinished())
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

    async def _answer_unfinished(self) -> None:
        await asyncio.sleep(ANSWER_GRACE_S)
        for answer in tuple(self.unfinished):
            await answer()

    def _shorten(self, timeout: asyncio.Timeout, grace_s: float) -> None:
        if self._began_s is None:
            return
        until_s = self._began_s + grace_s
        before_s = timeout.when()
        timeout.reschedule(until_s if before_s is None else min(until_s, before_s))

    def _is_over(self, grace_s: float) -> bool:
        now_s = asyncio.get_running_loop().time()
        return self._began_s is not None and now_s >= self._began_s + grace_s


class AnswerUnfinished:
    """Sends an answer for each request that has none yet when the process is about to cancel it.

    The request may hang in a thread that nothing can cancel, and uvicorn would close its connection without an answer.
    """

    def __init__(self, app: ASGIApp, answer: ASGIApp) -> None:
        self._app = app
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_started = is_answered = False

        async def send_unless_answered(message: Message) -> None:
            nonlocal has_started
            has_started = True
            if not is_answered:
                await send(message)

        async def answer_now() -> None:
            nonlocal is_answered
            if not has_started:
                is_answered = True
                await self._answer(scope, receive, send)

        stopping: Stopping = scope["state"]["stopping"]
        stopping.unfinished.add(answer_now)
        try:
            await self._app(scope, receive, send_unless_answered)
        finally:
            stopping.unfinished.remove(answer_now)
