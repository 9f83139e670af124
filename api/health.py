"""Liveness, readiness and metrics."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import structlog
from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from redis.exceptions import RedisError
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import InstrumentedAttribute, Session

from api.deps import RecordChanges
from api.described_errors import responses
from api.openapi import success
from api.schemas import Components, Liveness
from api.volume import require_volume
from shared import db, media, queue
from shared.db import UNFINISHED_JOB, Job, JobState, Record, RecordStatus
from shared.errors import NotReady, StorageUnavailable
from shared.settings import get_settings

router = APIRouter(tags=["health"])

log = structlog.get_logger(__name__)

SWEEPS_MISSED = 10
LEAST_SWEEPER_SILENCE_S = 30
"""A shorter silence may be a slow sweep or a restart."""
DELIVERY_STATES = (JobState.READY, JobState.RUNNING, JobState.DONE, JobState.FAILED)


class _Down(Exception):
    """A component does not work. The message is the reason, for everyone."""


@router.get("/health/live", responses={**responses(), **success(200, "This API process answers.")})
async def live() -> Liveness:
    """Check that this API process answers."""
    # Not in a thread, because all threads may wait for the database.
    return Liveness(status="ok")


@router.get(
    "/health/ready",
    responses={**responses(NotReady), **success(200, "Every component works.")},
)
def ready() -> Components:
    """Check PostgreSQL, Redis, the media volume and the other processes.

    The other processes are the worker, the sweeper and the sender of webhooks.
    """
    checks: dict[str, Callable[[], None]] = {
        "postgresql": _check_postgresql,
        "redis": _check_redis,
        "volume": _check_volume,
        "workers": partial(_check_alive, "main"),
        "sweeper": _check_sweeper,
        "deliveries": partial(_check_alive, "deliveries"),
    }
    found = {name: _run_check(name, check) for name, check in checks.items()}
    reasons = {name: reason for name, reason in found.items() if reason}
    states: dict[str, Any] = {name: "not ready" if name in reasons else "ok" for name in found}
    if reasons:
        raise NotReady(states, reasons)
    return Components(**states)


def _run_check(name: str, check: Callable[[], None]) -> str | None:
    """Return the reason why the component is not ready, or None if it is."""
    try:
        check()
    except Exception as error:  # noqa: BLE001 -- any error means "not ready"
        log.warning("not ready", component=name, error=str(error))
        return _describe(error)
    return None


def _describe(error: Exception) -> str:
    """Return a reason without addresses, names of users and paths, because everyone may read it."""
    if isinstance(error, _Down | StorageUnavailable):
        return str(error)
    if isinstance(error, SQLAlchemyError):
        return "The database does not answer."
    if isinstance(error, RedisError):
        return "Redis does not answer."
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}."
    return "An unexpected error. The log of the API has it."


def _check_postgresql() -> None:
    with db.transaction() as session:
        session.execute(select(1))


def _check_redis() -> None:
    with queue.connect() as redis:
        redis.ping()


def _check_volume() -> None:
    media_dir = get_settings().media_dir
    require_volume(media_dir)
    media.check_writable(media_dir)
    if media.free_bytes(media_dir) < get_settings().min_free_bytes:
        raise _Down("Less than MIN_FREE_BYTES is free.")


def _check_alive(role: str) -> None:
    with db.transaction() as session:
        if not db.workers.alive(session, role):
            raise _Down(f"No worker of the role {role} is alive.")


def _check_sweeper() -> None:
    with db.transaction() as session:
        silence_s = db.workers.seconds_since_seen(session, "sweeper")
    limit_s = max(SWEEPS_MISSED * get_settings().sweep_interval_s, LEAST_SWEEPER_SILENCE_S)
    if silence_s is None:
        raise _Down("The sweeper has not finished a sweep yet.")
    if silence_s > limit_s:
        raise _Down(f"The last sweep was {silence_s:.0f} s ago.")


class _Gauges(Collector):
    """Reads the database at each request, so that all API processes report the same values.

    Only the number of waiting requests counts this process alone.
    """

    def __init__(self, waiting_requests: int) -> None:
        self._waiting_requests = waiting_requests

    def collect(self) -> Iterator[Metric]:
        waits = (Job.state == JobState.READY, Job.waiting_for == db.jobs.STORAGE)
        unfinished = (db.records.CONVERTS, Job.state.in_(UNFINISHED_JOB))
        with db.transaction() as session:
            records = _counts(session, Record.status, RecordStatus)
            jobs = _counts(session, Job.state, UNFINISHED_JOB, *unfinished)
            waiting = _counts(session, Job.waiting_for, (db.jobs.STORAGE,), *waits)
            deliveries = _counts(session, Job.state, DELIVERY_STATES, ~db.records.CONVERTS)
            oldest = _oldest_ready(session)
            stored_bytes = db.quotas.stored_bytes_in_all(session)
            alive = len(db.workers.alive(session, "main"))
            silence_s = db.workers.seconds_since_seen(session, "sweeper")
        yield _gauges("records", "Records by status", "status", records)
        yield _gauges("jobs", "Unfinished jobs by state", "state", jobs)
        yield _gauges("deliveries", "Webhook deliveries by state", "state", deliveries)
        yield _gauges("jobs_waiting", "Jobs that wait for a resource", "resource", waiting)
        yield _gauges(
            "oldest_ready_job_seconds",
            "Seconds since the oldest ready job could run, by queue",
            *("queue", oldest),
        )
        yield GaugeMetricFamily(
            "wav2mp3_stored_bytes",
            "Bytes that all records store, as quotas count them",
            stored_bytes,
        )
        yield GaugeMetricFamily("wav2mp3_workers", "Workers alive", alive)
        if silence_s is not None:
            yield GaugeMetricFamily(
                "wav2mp3_seconds_since_sweep", "Seconds since the sweeper last finished", silence_s
            )
        if (free_bytes := _free_bytes()) is not None:
            yield GaugeMetricFamily(
                "wav2mp3_media_free_bytes", "Free bytes of MEDIA_DIR", free_bytes
            )
        yield GaugeMetricFamily(
            "wav2mp3_waiting_requests",
            "Held answers and event streams of this API process",
            self._waiting_requests,
        )


def _free_bytes() -> int | None:
    """Return None without the volume, because the other metrics are needed most then."""
    media_dir = get_settings().media_dir
    try:
        require_volume(media_dir)
        return media.free_bytes(media_dir)
    except (OSError, StorageUnavailable) as error:
        log.warning("free space not read", error=str(error))
        return None


def _counts(
    session: Session,
    column: InstrumentedAttribute[Any],
    values: Iterable[str],
    *conditions: ColumnElement[bool],
) -> dict[str, int]:
    """Return the number of rows for each value of a column, also for those of `values` that no row has."""
    rows = session.execute(select(column, func.count()).where(*conditions).group_by(column))
    return {str(value): 0 for value in values} | dict(rows.all())


def _oldest_ready(session: Session) -> dict[str, float]:
    """Return for each queue how many seconds its oldest ready job could have run already. 0 without such a job."""
    waited_s = func.extract("epoch", func.max(func.now() - Job.run_at))
    rows = session.execute(select(Job.queue, waited_s).where(db.claims.DUE).group_by(Job.queue))
    return dict.fromkeys(queue.ALL, 0.0) | {name: float(seconds) for name, seconds in rows}


def _gauges(name: str, documentation: str, label: str, values: Mapping[str, float]) -> Metric:
    gauges = GaugeMetricFamily(f"wav2mp3_{name}", documentation, labels=[label])
    for labelled, value in values.items():
        gauges.add_metric([labelled], value)
    return gauges


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        **responses(),
        **success(200, "The metrics, as text for Prometheus.", media_type="text/plain"),
    },
)
def metrics(changes: RecordChanges) -> Response:
    """Return metrics for Prometheus."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Gauges(changes.waiting.count))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
