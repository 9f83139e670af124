"""Reports a Celery worker to the database while it takes tasks, so that health checks see if any worker is alive."""

import time
from contextlib import suppress
from threading import Thread
from typing import Any

import structlog
from celery import signals
from sqlalchemy.exc import SQLAlchemyError

from shared import db, queue
from worker import alive

SILENT_AFTER_S = 20
"""Celery sends a heartbeat every 2 s."""

log = structlog.get_logger(__name__)
_last_heartbeat_s = time.monotonic()


@signals.worker_ready.connect
def _start_reporting(sender: Any, **_: object) -> None:
    Thread(target=_report_forever, args=(sender.hostname, _role(sender)), daemon=True).start()


@signals.worker_shutdown.connect
def _report_stopped(sender: Any, **_: object) -> None:
    with suppress(SQLAlchemyError), db.transaction() as session:
        db.workers.report_stopped(session, sender.hostname)


def _role(worker: Any) -> str:
    queues = worker.app.amqp.queues.consume_from
    if queue.DELIVERIES in queues:
        return "deliveries"
    return "main" if queue.SEGMENTS in queues else "clips"


@signals.heartbeat_sent.connect
def _note_heartbeat(**_: object) -> None:
    # Celery sends heartbeats from the loop that takes tasks. If the loop hangs or has lost Redis, it sends none.
    global _last_heartbeat_s  # noqa: PLW0603 -- a signal handler has no other place for it
    _last_heartbeat_s = time.monotonic()
    alive.touch()


@signals.worker_process_init.connect
def _drop_inherited_connections(**_: object) -> None:
    # Two processes must not use one connection. The parent keeps its own open.
    db.get_engine().dispose(close=False)


def _report_forever(name: str, role: str) -> None:
    while True:
        if time.monotonic() - _last_heartbeat_s < SILENT_AFTER_S:
            _report(name, role)
        time.sleep(db.workers.HEARTBEAT_S)


def _report(name: str, role: str) -> None:
    try:
        with db.transaction() as session:
            db.workers.report_alive(session, name, role, _encoder(role))
    except SQLAlchemyError as error:
        log.warning("heartbeat not reported", error=type(error).__name__)


def _encoder(role: str) -> str | None:
    if role == "deliveries":
        return None
    # not at the top: deliveries and the sweeper encode nothing, and this imports numpy
    from worker.audio import encoder_fingerprint  # noqa: PLC0415

    return encoder_fingerprint()
