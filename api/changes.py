"""Wakes clients that wait for a record when PostgreSQL notifies (LISTEN/NOTIFY) that it has changed.

Each waiter also polls every `RECHECK_S`, in case a notification is lost.
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
"""The longest time for which an answer is held."""

T = TypeVar("T")
log = structlog.get_logger(__name__)


class Changes:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    async def wait_until(
        self,
        record_id: UUID,
        load: Callable[[], T],
        is_enough: Callable[[T], bool],
        timeout_s: float,
    ) -> T:
        """Call `load` in a thread until the result is enough or the time is over. Return the last result."""
        deadline = time.monotonic() + timeout_s
        with self.subscribe(record_id) as changed:
            while True:
                changed.clear()
                loaded = await asyncio.to_thread(load)
                left_s = deadline - time.monotonic()
                if is_enough(loaded) or left_s <= 0:
                    return loaded
                with suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), min(left_s, RECHECK_S))

    @contextmanager
    def subscribe(self, record_id: UUID) -> Iterator[asyncio.Event]:
        """Yield an event that is set after each change. Clear it before loading the row, or a change may be missed."""
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
    async def listen(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._keep_listening())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _keep_listening(self) -> None:
        while True:
            try:
                await self._dispatch_notifications()
            except (psycopg2.Error, SQLAlchemyError) as error:
                log.warning("connection for notifications lost", error=type(error).__name__)
            await asyncio.sleep(RECONNECT_S)

    async def _dispatch_notifications(self) -> None:
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
        """Open a connection outside the pool, so that it never goes back there with LISTEN active."""
        pooled = self._engine.raw_connection()
        pooled.detach()
        connection = cast("psycopg2.extensions.connection", pooled.dbapi_connection)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"LISTEN {db.records.CHANGES}")
        return connection
