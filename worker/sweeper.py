"""The sweeper process: sweeps the rows every `SWEEP_INTERVAL_S` seconds and the files every hour.

Only the sweeper that holds an advisory lock of the database works. Other sweepers wait for the lock. The lock belongs
to a separate connection, so a sweeper that dies, hangs or is cut off loses the lock. All intervals are measured by a
monotonic clock, because a wall clock may be set back.
"""

import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import NoReturn

import structlog
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import SQLAlchemyError

from shared import db
from shared import log as logs
from shared.settings import Settings, get_settings
from worker import alive, sweep

LOCK_KEY = 0x7761763273776570
"""An arbitrary number. No other advisory lock of this database may have it as its key."""

LOCK_IDLE_S = 30
"""PostgreSQL ends the lock's connection after this time without a query from its sweeper."""

FILES_INTERVAL_S = 3600
STORAGE_INTERVAL_S = 15
TICK_S = 1

log = structlog.get_logger(__name__)


def run() -> NoReturn:
    settings = get_settings()
    logs.configure(settings.log_level)
    for number in (signal.SIGTERM, signal.SIGINT):
        # Every step of a sweep survives a crash, so the process may stop anywhere.
        signal.signal(number, lambda *_: sys.exit())
    sweeper = Sweeper(settings)
    while True:
        try:
            with lock_connection() as lock:
                while True:
                    if is_locked(lock):
                        sweeper.sweep_due()
                    _pause(settings)
        except SQLAlchemyError as error:
            log.warning("lock lost or not reachable", error=type(error).__name__)
            _pause(settings)


@contextmanager
def lock_connection() -> Iterator[Connection]:
    # The pool would keep the lock.
    with db.connect_outside_pool(db.get_engine()) as connection:
        connection.exec_driver_sql(f"SET idle_session_timeout = '{LOCK_IDLE_S}s'")
        yield connection


def is_locked(lock: Connection) -> bool:
    """Take the lock if it is free. Return True if this connection holds it. May be called again and again."""
    return bool(lock.scalar(select(func.pg_try_advisory_lock(LOCK_KEY))))


class Sweeper:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._name = f"sweeper@{socket.gethostname()}"
        self._watches = sweep.Watches.of(settings)
        self._rows = _Timer(settings.sweep_interval_s)
        # Each of these runs in a thread, because a volume may be slow or hang.
        self._volume_steps = [
            _VolumeStep("files", FILES_INTERVAL_S, self._sweep_files),
            _VolumeStep("storage", STORAGE_INTERVAL_S, self._end_storage_waits),
        ]

    def sweep_due(self) -> None:
        if self._rows.is_due():
            self._sweep_rows()
        for step in self._volume_steps:
            step.start_if_due()

    def _sweep_rows(self) -> None:
        try:
            sweep.sweep_rows(self._settings, self._watches)
            with db.transaction() as session:
                db.workers.report_alive(session, self._name, role="sweeper")
        except Exception:
            log.exception("sweep of the rows failed")

    def _sweep_files(self) -> None:
        sweep.sweep_files(self._settings, self._watches)

    def _end_storage_waits(self) -> None:
        sweep.end_storage_waits(self._settings)


class _VolumeStep:
    def __init__(self, name: str, interval_s: float, run: Callable[[], None]) -> None:
        self._name = name
        self._run = run
        self._timer = _Timer(interval_s)
        self._thread = Thread()

    def start_if_due(self) -> None:
        if not self._thread.is_alive() and self._timer.is_due():
            self._thread = Thread(target=self._run_logged, daemon=True)
            self._thread.start()

    def _run_logged(self) -> None:
        try:
            self._run()
        except Exception:
            log.exception("sweep failed", step=self._name)


class _Timer:
    """Due at once, and then every `interval_s`."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._due_at_s = time.monotonic()

    def is_due(self) -> bool:
        now_s = time.monotonic()
        if now_s < self._due_at_s:
            return False
        self._due_at_s = now_s + self._interval_s
        return True


def _pause(settings: Settings) -> None:
    alive.touch()
    time.sleep(min(TICK_S, settings.sweep_interval_s))
