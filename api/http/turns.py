"""Lets many callbacks and tasks go on in turn, a few in each round of the event loop.

Otherwise a burst of thousands would be one long round, in which nothing else happens.
"""

import asyncio
from collections import deque
from collections.abc import Callable

PER_ROUND = 4


class Turns:
    def __init__(self) -> None:
        self._queued: deque[Callable[[], None]] = deque()
        self._due = 0
        """The number queued before the last round. Since then the loop has noticed if one of their clients left."""

    def call(self, callback: Callable[[], None]) -> None:
        self._queued.append(callback)
        if len(self._queued) == 1:
            self._due = 0
            asyncio.get_running_loop().call_soon(self._round)

    async def take(self) -> None:
        """Wait for this task's turn."""
        turn = asyncio.get_running_loop().create_future()
        self.call(lambda: None if turn.done() else turn.set_result(None))
        await turn

    def _round(self) -> None:
        for _ in range(min(PER_ROUND, self._due)):
            # Remove them afterwards, so that `call` does not schedule a second series of rounds.
            self._queued[0]()
            self._queued.popleft()
        self._due = len(self._queued)
        if self._queued:
            asyncio.get_running_loop().call_soon(self._round)
