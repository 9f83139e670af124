"""Wakes clients that wait for a record when PostgreSQL notifies (LISTEN/NOTIFY) that it has changed.

All requests that wait for a record share a `Watch`, which reads the record once after each change. Every `RECHECK_S`
all watched records are read, in case a notification is lost. This also refreshes queue positions, because no
notification announces them. While the database is unreachable, clients keep waiting.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from uuid import UUID

import psycopg2
import psycopg2.extensions
import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request

from api.http import Turns, Waiting
from api.snapshot_reader import SnapshotReader
from api.snapshots import Snapshot
from shared import db
from shared.errors import RecordNotFound, Wav2mp3Error

RECHECK_S = 2.0
RECONNECT_S = 1.0
MAX_WAIT_S = 30
"""The longest time for which an answer is held."""

log = structlog.get_logger(__name__)


class Watch:
    """One record, for all requests that wait for it."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self.requests = 0
        self.latest: Snapshot | None = None
        """None if there is no such record, or before it is read."""
        self._changed = asyncio.Event()

    def update(self, snapshot: Snapshot | None) -> None:
        if snapshot != self.latest:
            self.latest = snapshot
            self._changed.set()
            self._changed = asyncio.Event()

    async def until(
        self, is_enough: Callable[[Snapshot], bool], timeout_s: float
    ) -> Snapshot | None:
        """Wait until the snapshot is enough, the record is removed or the time is over. Return the latest snapshot."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self.latest is not None and not is_enough(self.latest):
                    await self._changed.wait()
                    await self._turns.take()
        return self.latest


class Changes:
    def __init__(self, engine: Engine, reader: SnapshotReader, waiting: Waiting) -> None:
        self.waiting = waiting
        self._engine = engine
        self._reader = reader
        self._watches: dict[UUID, Watch] = {}
        self._refreshing: set[asyncio.Task[None]] = set()

    async def load(self, record_id: UUID) -> Snapshot:
        """Return the record as it is now. Raises RecordNotFound."""
        snapshot = await self._reader.load(record_id)
        if snapshot is None:
            raise RecordNotFound
        return snapshot

    async def wait_until_final(
        self, request: Request, record_id: UUID, timeout_s: float
    ) -> Snapshot:
        """Return the record once it is final or the time is over.

        Raises RecordNotFound, TooManyWaiting, ShuttingDown, ClientDisconnect.
        """
        async with self.watch(record_id) as watch:
            snapshot = watch.latest
            if snapshot is not None and not snapshot.is_final:
                async with self.waiting.hold(request):
                    snapshot = await watch.until(lambda latest: latest.is_final, timeout_s)
        if snapshot is None:
            raise RecordNotFound
        return snapshot

    @asynccontextmanager
    async def watch(self, record_id: UUID) -> AsyncIterator[Watch]:
        """Yield a watch. It reads the record after the watch has started, so that no change is missed."""
        watch = self._watches.setdefault(record_id, Watch(self.waiting.turns))
        watch.requests += 1
        try:
            watch.update(await self._reader.load(record_id))
            yield watch
        finally:
            watch.requests -= 1
            if not watch.requests:
                del self._watches[record_id]

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(each()) for each in (self._keep_listening, self._recheck)]
        try:
            yield
        finally:
            for task in (*tasks, *self._refreshing):
                task.cancel()
            await asyncio.gather(*tasks, *self._refreshing, return_exceptions=True)

    async def _recheck(self) -> None:
        while True:
            await asyncio.sleep(RECHECK_S)
            await self._refresh(list(self._watches))

    async def _refresh(self, ids: Iterable[UUID]) -> None:
        try:
            found = await self._reader.load_all(ids)
        except Wav2mp3Error:  # The reader has logged it.
            return
        for record_id, snapshot in found.items():
            if record_id in self._watches:
                self._watches[record_id].update(snapshot)

    async def _keep_listening(self) -> None:
        while True:
            try:
                await self._dispatch_notifications()
            except (psycopg2.Error, SQLAlchemyError) as error:
                log.warning("connection for notifications lost", error=type(error).__name__)
            await asyncio.sleep(RECONNECT_S)

    async def _dispatch_notifications(self) -> None:
        connection = await asyncio.to_thread(self._connect)
        # Changes since the last connection were not announced here.
        self._refresh_soon(set(self._watches))
        loop, broken, socket = asyncio.get_running_loop(), asyncio.Event(), connection.fileno()

        def read() -> None:
            try:
                connection.poll()
            except psycopg2.Error:
                broken.set()
            changed = {UUID(notification.payload) for notification in connection.notifies}
            connection.notifies.clear()
            if watched := changed & self._watches.keys():
                self._refresh_soon(watched)

        loop.add_reader(socket, read)
        try:
            await broken.wait()
        finally:
            loop.remove_reader(socket)
            connection.close()

    def _refresh_soon(self, ids: set[UUID]) -> None:
        task = asyncio.create_task(self._refresh(ids))
        self._refreshing.add(task)
        task.add_done_callback(self._refreshing.discard)

    def _connect(self) -> psycopg2.extensions.connection:
        # The pool must not get a connection with LISTEN active.
        connection = db.driver_connection(db.connect_outside_pool(self._engine))
        with connection.cursor() as cursor:
            cursor.execute(f"LISTEN {db.records.CHANGES}")
        return connection
