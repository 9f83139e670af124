"""The sweeper process, on a real database, Valkey and volume."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from shared import db, queue
from tests.conftest import ROOT
from tests.shared.db import rows
from tests.waiting import WITHIN_S
from tests.worker.stored import until
from worker import sweeper

INTERVAL_S = 0.2

StartSweeper = Callable[[], subprocess.Popen[bytes]]


@pytest.fixture(autouse=True)
def _settings(database: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWEEP_INTERVAL_S", str(INTERVAL_S))
    with queue.connect() as redis:
        redis.flushall()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "sweeper.log"


@pytest.fixture
def start(log: Path) -> Iterator[StartSweeper]:
    started: list[subprocess.Popen[bytes]] = []
    command = [sys.executable, "-m", "worker", "sweeper"]

    def start_one() -> subprocess.Popen[bytes]:
        with log.open("ab") as output:
            started.append(subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output))
        return started[-1]

    yield start_one
    for process in started:
        process.kill()
        process.wait()


def _silence_s() -> float | None:
    with db.transaction() as session:
        return db.workers.seconds_since_seen(session, "sweeper")


def _until_swept() -> None:
    """Return when a sweep has ended that began after this call."""
    asked_at_s = time.monotonic()

    def has_swept() -> bool:
        silence_s = _silence_s()
        return silence_s is not None and time.monotonic() - asked_at_s > silence_s + INTERVAL_S

    until(has_swept)


def _lock_holders() -> list[int]:
    """Return the process ids, in PostgreSQL, of the connections that hold the sweeper's lock."""
    with db.transaction() as session:
        query = """
            SELECT pid FROM pg_locks JOIN pg_database ON pg_database.oid = database
            WHERE datname = current_database() AND locktype = 'advisory' AND granted
        """
        return list(session.scalars(text(query)))


def test_the_sweeper_publishes_lost_tasks_and_reports_each_sweep(start: StartSweeper) -> None:
    start()
    _until_swept()
    rows.add_record(3)
    until(lambda: queue.length(queue.SEGMENTS) > 0)
    _until_swept()


def test_sigterm_ends_the_sweeper_cleanly(start: StartSweeper, log: Path) -> None:
    process = start()
    _until_swept()
    process.send_signal(signal.SIGTERM)
    assert process.wait(WITHIN_S) == 0
    assert "Traceback" not in log.read_text()


def test_another_sweeper_replaces_a_killed_one(start: StartSweeper) -> None:
    first = start()
    _until_swept()
    holders = _lock_holders()
    assert len(holders) == 1
    start()
    until(lambda: _asking_for_lock() == 2)
    assert _lock_holders() == holders
    first.kill()
    until(lambda: _lock_holders() not in ([], holders))
    _until_swept()


def _asking_for_lock() -> int:
    with db.transaction() as session:
        query = """
            SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
            AND query LIKE '%pg_try_advisory_lock%' AND pid <> pg_backend_pid()
        """
        return int(session.scalars(text(query)).one())


def test_a_sweeper_goes_on_after_its_lock_connection_breaks(start: StartSweeper) -> None:
    start()
    _until_swept()
    (holder,) = _lock_holders()
    with db.transaction() as session:
        session.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": holder})
    until(lambda: _lock_holders() not in ([], [holder]))
    _until_swept()


def test_a_failed_sweep_is_logged_and_repeated(start: StartSweeper, log: Path) -> None:
    _rename("records", "elsewhere")
    try:
        start()
        until(lambda: "sweep of the rows failed" in _text(log))
        assert _silence_s() is None
    finally:
        _rename("elsewhere", "records")
    _until_swept()


def test_rows_are_swept_without_a_volume(
    start: StartSweeper, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDIA_DIR", "/nowhere")
    start()
    until(lambda: '"step": "files"' in _text(log))
    _until_swept()


def test_a_hanging_sweeper_loses_its_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeper, "LOCK_IDLE_S", 1)
    with sweeper.lock_connection() as hanging, sweeper.lock_connection() as other:
        assert sweeper.is_locked(hanging)
        assert not sweeper.is_locked(other)
        until(lambda: sweeper.is_locked(other))
        with pytest.raises(SQLAlchemyError):
            sweeper.is_locked(hanging)


def test_the_lock_ends_with_its_connection() -> None:
    with sweeper.lock_connection() as first:
        assert sweeper.is_locked(first)
    with sweeper.lock_connection() as second:
        # PostgreSQL learns a little later that the connection is closed.
        until(lambda: sweeper.is_locked(second))


def _rename(table: str, name: str) -> None:
    with db.transaction() as session:
        session.execute(text(f"ALTER TABLE {table} RENAME TO {name}"))


def _text(log: Path) -> str:
    return log.read_text() if log.exists() else ""
