"""A worker reports itself to the database while it takes tasks, so that a health check can tell whether any is alive.

The one that carries beat lives and dies with it: the schedule is kept by a process of its own.
"""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

import structlog
from celery import signals
from sqlalchemy.exc import SQLAlchemyError

from shared import db, queue
from worker.audio import encoder_fingerprint

ALIVE_FILE = Path("/run/wav2mp3/heartbeat")
"""For a container's health check, which must cost nothing; where there is no such folder, nothing is written."""

SILENT_AFTER_S = 20
"""Celery sends a heartbeat every 2 s."""

log = structlog.get_logger(__name__)
_last_heartbeat_s = time.monotonic()
_ending = Event()


@signals.worker_ready.connect
def _start(sender: Any, **_: object) -> None:
    if sender.controller.beat is None:
        role = "main" if _converts_everything(sender) else "clips"
        Thread(target=_report_for_ever, args=(sender.hostname, role), daemon=True).start()
    if sender.controller.beat is not None:
        Thread(target=_end_with, args=(sender.controller.beat,), daemon=True).start()


@signals.worker_shutting_down.connect
def _note_the_end(**_: object) -> None:
    _ending.set()


def _end_with(beat: Any) -> None:
    beat.join()
    if not _ending.is_set():
        log.error("beat died")
        os.kill(os.getpid(), signal.SIGTERM)


@signals.beat_embedded_init.connect
def _end_beat_with_the_worker(**_: object) -> None:
    Thread(target=_end_without, args=(os.getppid(),), daemon=True).start()


def _end_without(parent_pid: int) -> None:
    while os.getppid() == parent_pid:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


@signals.worker_shutdown.connect
def _say_goodbye(sender: Any, **_: object) -> None:
    if sender.controller.beat is None:
        with suppress(SQLAlchemyError), db.transaction() as session:
            db.workers.report_stopped(session, sender.hostname)


def _converts_everything(worker: Any) -> bool:
    return queue.SEGMENTS in worker.app.amqp.queues.consume_from


@signals.heartbeat_sent.connect
def _touch(**_: object) -> None:
    # Celery sends heartbeats from the loop that takes tasks: one that has lost Redis, or hangs, sends none.
    global _last_heartbeat_s  # noqa: PLW0603 -- a signal has no other place
    _last_heartbeat_s = time.monotonic()
    with suppress(OSError):
        ALIVE_FILE.touch()


@signals.worker_process_init.connect
def _forget_connections(**_: object) -> None:
    # A connection that two processes use garbles both; the parent keeps its own.
    db.get_engine().dispose(close=False)


def _report_for_ever(name: str, role: str) -> None:
    while True:
        if time.monotonic() - _last_heartbeat_s < SILENT_AFTER_S:
            _report(name, role)
        time.sleep(db.workers.HEARTBEAT_S)


def _report(name: str, role: str) -> None:
    try:
        with db.transaction() as session:
            db.workers.report_alive(session, name, role, encoder_fingerprint())
    except SQLAlchemyError as error:
        log.warning("heartbeat not reported", error=type(error).__name__)
