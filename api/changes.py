"""Wakes whoever waits for a record, when PostgreSQL says (LISTEN/NOTIFY) that the record has changed.

Only a shortcut: a waiter also wakes on its own every `RECHECK_S`, so a lost notification costs a moment, never
an answer.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TypeVar, cast
from uuid import UUID

import psycopg2
import psycopg2.extensions
import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from shared import db

RECHECK_S = 2.0
RECONNECT_S = 1.0
MAX_WAIT_S = 30.0
"""how long an answer is held"""

T = TypeVar("T")
log = structlog.get_logger(__name__)


class Changes:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    async def wait_until(
        self,
        record_id: UUID,
        look: Callable[[], T],
        is_enough: Callable[[T], bool],
        timeout_s: float,
    ) -> T:
        """Look (in a thread) until it is enough or the time is over; what was seen last."""
        deadline = time.monotonic() + timeout_s
        with self.of(record_id) as changed:
            while True:
                changed.clear()
                seen = await asyncio.to_thread(look)
                left_s = deadline - time.monotonic()
                if is_enough(seen) or left_s <= 0:
                    return seen
                with suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), min(left_s, RECHECK_S))

    @contextmanager
    def of(self, record_id: UUID) -> Iterator[asyncio.Event]:
        """An event that is set when the record has changed. Its user clears it before looking at the row."""
        key = str(record_id)
        event = asyncio.Event()
        self._waiting[key].add(event)
        try:
            yield event
        finally:
            self._waiting[key].discard(event)
            if not self._waiting[key]:
                del self._waiting[key]

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._listen_for_ever())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _listen_for_ever(self) -> None:
        while True:
            try:
                await self._listen()
            except (psycopg2.Error, SQLAlchemyError) as error:
                log.warning("listening for changes broke off", error=type(error).__name__)
            await asyncio.sleep(RECONNECT_S)

    async def _listen(self) -> None:
        connection = await asyncio.to_thread(self._connect)
        loop, broken, socket = asyncio.get_running_loop(), asyncio.Event(), connection.fileno()

        def read() -> None:
            try:
                connection.poll()
            except psycopg2.Error:
                broken.set()
            for notification in connection.notifies:
                for event in self._waiting.get(notification.payload, ()):
                    event.set()
            connection.notifies.clear()

        loop.add_reader(socket, read)
        try:
            await broken.wait()
        finally:
            loop.remove_reader(socket)
            connection.close()

    def _connect(self) -> psycopg2.extensions.connection:
        """A connection of our own, outside the pool."""
        pooled = self._engine.raw_connection()
        pooled.detach()
        connection = cast("psycopg2.extensions.connection", pooled.dbapi_connection)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"LISTEN {db.records.CHANGES}")
        return connection
