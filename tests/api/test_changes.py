"""Notifications of a real PostgreSQL. Polling is so slow here that only they can wake a waiter."""

import asyncio
from itertools import count
from uuid import uuid4

import pytest
from sqlalchemy import text

from api import changes
from api.changes import Changes
from shared import db
from tests.conftest import TIMEOUT_S

LONG_S = 10 * TIMEOUT_S
DISCONNECT = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND query LIKE 'LISTEN%'"""


@pytest.fixture(autouse=True)
def _slow_polling(database: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "RECHECK_S", LONG_S)
    monkeypatch.setattr(changes, "RECONNECT_S", 0.1)


def execute(statement: str) -> int:
    with db.transaction() as session:
        return len(session.execute(text(statement)).all())


async def expect_wakeup(listener: Changes) -> None:
    """Wait for a second load of a record. Notify again and again, as the listener may not be connected yet."""
    record_id, loads = uuid4(), count(1)
    waiter = asyncio.create_task(
        listener.wait_until(record_id, lambda: next(loads), lambda number: number == 2, LONG_S)
    )
    async with asyncio.timeout(TIMEOUT_S):
        while not waiter.done():
            await asyncio.to_thread(
                execute, f"SELECT pg_notify('{db.records.CHANGES}', '{record_id}')"
            )
            await asyncio.sleep(0.1)


def test_a_notification_wakes_a_waiter() -> None:
    async def run() -> None:
        listener = Changes(db.get_engine())
        async with listener.listen():
            await expect_wakeup(listener)
        assert not listener._waiting

    asyncio.run(run())


def test_listening_resumes_after_a_disconnect() -> None:
    async def run() -> None:
        listener = Changes(db.get_engine())
        async with listener.listen():
            await expect_wakeup(listener)
            assert await asyncio.to_thread(execute, DISCONNECT) == 1
            await expect_wakeup(listener)

    asyncio.run(run())
