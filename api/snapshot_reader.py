"""Reads the snapshots that requests ask for. Requests at the same time share one query.

The reader has a connection that stays open, in autocommit: a status poll costs one round trip, without a transaction. A
connection that broke since the last query is replaced once, so PostgreSQL may restart between two polls.
"""

import asyncio
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from uuid import UUID

import structlog
from sqlalchemy import Connection, Engine, bindparam
from sqlalchemy.exc import DBAPIError

from api.problems import from_database_error
from api.snapshots import SNAPSHOTS, Snapshot, read
from shared import db
from shared.db import Record
from shared.errors import Unavailable, Wav2mp3Error

MAX_BATCH = 500
ANSWERS_PER_ROUND = 20
"""More records would delay the event loop, because each answer continues a request."""
COLLECTING_ROUNDS = 2
"""Rounds of the event loop in which requests gather before a query. One query costs about as much as twenty records."""
TIMEOUT_S = 20.0
"""Longer than connecting and the statement may take. Needed if PostgreSQL itself was stopped."""
BY_ID = SNAPSHOTS.where(Record.id.in_(bindparam("ids", expanding=True)))

Answer = Snapshot | Wav2mp3Error | None
Asked = dict[UUID, list[asyncio.Future[Answer]]]
log = structlog.get_logger(__name__)


class SnapshotReader:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None
        self._thread = ThreadPoolExecutor(1, "snapshots")
        self._asked: Asked = {}
        self._reading: asyncio.Task[None] | None = None

    async def load(self, record_id: UUID) -> Snapshot | None:
        """Return the record as it is now, or None if there is no such record."""
        return _found(await self._ask(record_id))

    async def load_all(self, ids: Iterable[UUID]) -> dict[UUID, Snapshot | None]:
        asked = {record_id: self._ask(record_id) for record_id in ids}
        return {record_id: _found(await future) for record_id, future in asked.items()}

    def _ask(self, record_id: UUID) -> asyncio.Future[Answer]:
        """Return a future for one request, which may be cancelled when its client leaves."""
        asked = asyncio.get_running_loop().create_future()
        self._asked.setdefault(record_id, []).append(asked)
        if self._reading is None:
            self._reading = asyncio.create_task(self._read_asked())
        return asked

    async def close(self) -> None:
        if self._reading is not None:
            await asyncio.wait((self._reading,))
        await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
        self._thread.shutdown(wait=False)

    async def _read_asked(self) -> None:
        try:
            while self._asked:
                for _ in range(COLLECTING_ROUNDS):
                    await asyncio.sleep(0)
                batch = dict(islice(self._asked.items(), MAX_BATCH))
                for record_id in batch:
                    del self._asked[record_id]
                await self._answer(batch)
        finally:
            self._reading = None

    async def _answer(self, batch: Asked) -> None:
        try:
            answers = await self._read_in_thread(tuple(batch))
        except TimeoutError:
            # The requests that came meanwhile have waited too, and the thread may still hang.
            for record_id, asked in self._asked.items():
                batch.setdefault(record_id, []).extend(asked)
            self._asked.clear()
            log.warning("records not read in time", count=len(batch))
            answers = dict.fromkeys(batch, Unavailable())
        except Exception as error:
            log.exception("records not read", count=len(batch))
            answers = dict.fromkeys(batch, from_database_error(error))
        waiting = (
            (each, answers.get(record_id)) for record_id in batch for each in batch[record_id]
        )
        for count, (future, answer) in enumerate(waiting, 1):
            if not future.done():
                future.set_result(answer)
            if count % ANSWERS_PER_ROUND == 0:
                await asyncio.sleep(0)

    async def _read_in_thread(self, ids: Sequence[UUID]) -> dict[UUID, Answer]:
        # One timeout for all requests of a batch: a timeout for each costs 3 % of a status poll.
        async with asyncio.timeout(TIMEOUT_S):
            loop = asyncio.get_running_loop()
            found = await loop.run_in_executor(self._thread, self._read, ids)
        return {each.id: each for each in found}

    def _read(self, ids: Sequence[UUID]) -> list[Snapshot]:
        may_be_broken = self._connection is not None
        try:
            return self._read_once(ids)
        except DBAPIError:
            self._disconnect()
            if not may_be_broken:
                raise
        return self._read_once(ids)

    def _read_once(self, ids: Sequence[UUID]) -> list[Snapshot]:
        if self._connection is None:
            # Others need the connections of the pool.
            self._connection = db.connect_outside_pool(self._engine)
        with self._connection.begin():
            return read(self._connection, BY_ID, {"ids": ids})

    def _disconnect(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.close()


def _found(answer: Answer) -> Snapshot | None:
    if isinstance(answer, Wav2mp3Error):
        # Each request raises a new error: a shared error would collect the tracebacks of all requests.
        raise type(answer)(answer.detail)
    return answer
