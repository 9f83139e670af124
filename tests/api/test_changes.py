"""Waiting for changes of a real PostgreSQL. Polling is so slow here that only notifications can wake a waiter."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from starlette.requests import Request

from api import changes, snapshot_reader
from api.changes import Changes
from api.http import Shares, Stopping, Waiting
from api.snapshot_reader import SnapshotReader
from api.snapshots import Snapshot
from shared import db
from shared.db import RecordStatus
from shared.errors import RecordNotFound, Unavailable
from tests.conftest import TIMEOUT_S
from tests.shared.db.rows import add_record, db_call

LONG_S = 10 * TIMEOUT_S
LISTENERS = """FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE 'LISTEN%'"""
FAIL_SILENTLY = "UPDATE records SET status = 'failed' RETURNING id"
OTHERS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


@pytest.fixture(autouse=True)
def _slow_polling(database: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "RECHECK_S", LONG_S)
    monkeypatch.setattr(changes, "RECONNECT_S", 0.1)


class CountingReader(SnapshotReader):
    """Counts the reads of each record."""

    def __init__(self) -> None:
        super().__init__(db.get_engine())
        self.looks: list[UUID] = []

    def _read(self, ids: Iterable[UUID]) -> list[Snapshot]:
        ids = tuple(ids)
        self.looks += ids
        return super()._read(ids)


@asynccontextmanager
async def listening(reader: SnapshotReader) -> AsyncIterator[Changes]:
    listener = Changes(db.get_engine(), reader, Waiting(Stopping(), Shares(1000, 1)))
    async with listener.listen():
        await until_listening()
        yield listener
    assert not listener._watches
    await reader.close()


async def until_listening() -> None:
    async with asyncio.timeout(TIMEOUT_S):
        while not await asyncio.to_thread(execute, f"SELECT 1 {LISTENERS}"):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def until_held(listener: Changes, count: int) -> None:
    """Wait until this many requests have read the record and wait for a change."""
    while listener.waiting.count < count:  # noqa: ASYNC110
        await asyncio.sleep(0.01)


def execute(statement: str) -> int:
    with db.transaction() as session:
        return len(session.execute(text(statement)).all())


def connected() -> Request:
    """Return the request of a client that stays."""
    return Request({"type": "http", "client": ("192.0.2.1", 1)}, asyncio.Queue().get)


def wait(listener: Changes, record_id: UUID, timeout_s: float = LONG_S) -> asyncio.Task[Snapshot]:
    return asyncio.create_task(listener.wait_until_final(connected(), record_id, timeout_s))


async def delete(record_id: UUID) -> None:
    await asyncio.to_thread(db_call, db.records.mark_gone, record_id, RecordStatus.DELETED)


def run(test: Coroutine[Any, Any, None]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(TIMEOUT_S):
            await test

    asyncio.run(limited())


def test_one_read_serves_all_waiters() -> None:
    async def test() -> None:
        reader, (record_id, _) = CountingReader(), add_record()
        async with listening(reader) as listener:
            waiters = [wait(listener, record_id) for _ in range(500)]
            await until_held(listener, len(waiters))
            before = len(reader.looks)
            await delete(record_id)
            assert {(await waiter).status for waiter in waiters} == {"deleted"}
            assert before <= 2
            assert len(reader.looks) == before + 1

    run(test())


def test_looks_at_many_records_share_a_query(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        reader = CountingReader()
        ids = [add_record()[0] for _ in range(20)]
        found = await asyncio.gather(*map(reader.load, [*ids, uuid4()]))
        assert [each and each.id for each in found] == [*ids, None]
        assert [each and each.queue_position for each in found] == [*range(1, 21), None]
        assert len(reader.looks) == 21
        await reader.close()

    run(test())


def test_a_lost_notification_is_found_by_the_recheck(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "RECHECK_S", 0.2)

    async def test() -> None:
        async with listening(SnapshotReader(db.get_engine())) as listener:
            record_id, _ = add_record()
            waiter = wait(listener, record_id)
            await asyncio.sleep(0.1)
            assert await asyncio.to_thread(execute, FAIL_SILENTLY) == 1
            assert (await waiter).status == "failed"

    run(test())


def test_a_wait_ends_with_its_time() -> None:
    async def test() -> None:
        async with listening(SnapshotReader(db.get_engine())) as listener:
            record_id, _ = add_record()
            assert (await wait(listener, record_id, timeout_s=0.1)).status == "queued"

    run(test())


def test_waiting_for_an_unknown_record_is_refused() -> None:
    async def test() -> None:
        async with listening(SnapshotReader(db.get_engine())) as listener:
            with pytest.raises(RecordNotFound):
                await wait(listener, uuid4())

    run(test())


def test_a_change_without_a_listener_wakes_after_reconnecting() -> None:
    async def test() -> None:
        async with listening(SnapshotReader(db.get_engine())) as listener:
            record_id, _ = add_record()
            waiter = wait(listener, record_id)
            await asyncio.sleep(0.2)
            assert await asyncio.to_thread(execute, FAIL_SILENTLY) == 1
            assert not waiter.done()
            stop = f"SELECT pg_terminate_backend(pid) {LISTENERS}"
            assert await asyncio.to_thread(execute, stop) == 1
            assert (await waiter).status == "failed"

    run(test())


def test_a_broken_connection_is_replaced_during_a_look() -> None:
    async def test() -> None:
        reader, (record_id, _) = SnapshotReader(db.get_engine()), add_record()
        assert await reader.load(record_id)
        assert await asyncio.to_thread(execute, f"SELECT pg_terminate_backend(pid) {OTHERS}") > 0
        assert await reader.load(record_id)
        await reader.close()

    run(test())


def test_a_hanging_query_fails_all_waiting_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot_reader, "TIMEOUT_S", 1)

    async def test() -> None:
        reader, (record_id, _) = CountingReader(), add_record()
        with db.get_engine().begin() as connection:
            connection.execute(text("LOCK TABLE records IN ACCESS EXCLUSIVE MODE"))
            early = asyncio.create_task(reader.load(record_id))
            while not reader.looks:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            late = asyncio.create_task(reader.load(uuid4()))
            for each in (early, late):
                with pytest.raises(Unavailable):
                    await each
        assert reader.looks == [record_id]
        assert await reader.load(record_id)
        await reader.close()

    run(test())
