"""A worker reports itself to the database while it runs, so that a health check can tell whether any is alive."""

import time
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

import structlog
from celery import signals
from sqlalchemy.exc import SQLAlchemyError

from shared import db, queue, workers

ALIVE_FILE = Path("/run/wav2mp3/heartbeat")
"""For a container's health check, which must cost nothing; where there is no such folder, nothing is written."""

log = structlog.get_logger(__name__)


@signals.worker_ready.connect
def _start(sender: Any, **_: object) -> None:
    if _converts_everything(sender):
        Thread(target=_report_for_ever, args=(sender.hostname,), daemon=True).start()


@signals.worker_shutdown.connect
def _say_goodbye(sender: Any, **_: object) -> None:
    if _converts_everything(sender):
        with suppress(SQLAlchemyError), db.transaction() as session:
            workers.forget(session, sender.hostname)


def _converts_everything(worker: Any) -> bool:
    return queue.SEGMENTS in worker.app.amqp.queues.consume_from


@signals.heartbeat_sent.connect
def _touch(**_: object) -> None:
    # Celery sends heartbeats from the loop that takes tasks: one that has lost Redis, or hangs, sends none.
    with suppress(OSError):
        ALIVE_FILE.touch()


@signals.worker_process_init.connect
def _forget_connections(**_: object) -> None:
    # A connection that two processes use garbles both; the parent keeps its own.
    db.get_engine().dispose(close=False)


def _report_for_ever(name: str) -> None:
    while True:
        try:
            with db.transaction() as session:
                workers.report_alive(session, name)
        except SQLAlchemyError as error:
            log.warning("heartbeat not reported", error=type(error).__name__)
        time.sleep(workers.HEARTBEAT_S)
