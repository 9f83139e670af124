"""Requests that wait: limited in number, and ended when their client leaves or the process stops."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.types import Receive

from api.http.shares import Shares, client_address
from api.http.stopping import Stopping
from api.http.turns import Turns
from shared.errors import TooManyWaiting


class Waiting:
    def __init__(self, stopping: Stopping, shares: Shares) -> None:
        self._stopping = stopping
        self._shares = shares
        self.turns = Turns()
        """The turns of the many requests that one event may wake."""

    @property
    def count(self) -> int:
        return self._shares.total

    def check(self, request: HTTPConnection) -> None:
        """Check that one more request may wait. Raises TooManyWaiting."""
        if self._shares.is_full() or self._shares.is_full_for(client_address(request)):
            raise TooManyWaiting

    @asynccontextmanager
    async def hold(self, request: Request) -> AsyncIterator[None]:
        """Hold a request while the block waits. Raises TooManyWaiting, ShuttingDown, ClientDisconnect."""
        self.check(request)
        try:
            async with self.hold_stream(request) as block:
                watch = asyncio.create_task(self._end_on_disconnect(request.receive, block))
                try:
                    yield
                finally:
                    watch.cancel()
        except TimeoutError as error:
            raise ClientDisconnect from error

    @asynccontextmanager
    async def hold_stream(self, request: HTTPConnection) -> AsyncIterator[asyncio.Timeout]:
        """Hold a stream that has begun. Starlette itself notices if the client disconnects. Raises ShuttingDown."""
        address = client_address(request)
        self._shares.take(address)
        try:
            async with self._stopping.limit() as block:
                yield block
        finally:
            self._shares.give_back(address)

    async def _end_on_disconnect(self, receive: Receive, block: asyncio.Timeout) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        await self.turns.take()
        block.reschedule(0)
