"""Liveness, readiness and metrics."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import structlog
from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from api.deps import RecordChanges
from api.described_errors import responses
from api.openapi import success
from api.schemas import Components, Liveness
from api.volume import require_volume
from shared import db, media, queue
from shared.db import UNFINISHED_JOB, Job, JobState, Record
from shared.errors import NotReady, StorageUnavailable
from shared.settings import get_settings

router = APIRouter(tags=["health"])

log = structlog.get_logger(__name__)

SWEEPS_MISSED = 10
LEAST_SWEEPER_SILENCE_S = 30
"""A shorter silence may be a slow sweep or a restart."""


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
    states: dict[str, Any] = {name: _run_check(name, check) for name, check in checks.items()}
    if set(states.values()) != {"ok"}:
        raise NotReady(states)
    return Components(**states)


def _run_check(name: str, check: Callable[[], None]) -> str:
    try:
        check()
    except Exception as error:  # noqa: BLE001 -- any error means "not ready"
        log.warning("not ready", component=name, error=str(error))
        return "not ready"
    return "ok"


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
        raise OSError("less than MIN_FREE_BYTES is free")


def _check_alive(role: str) -> None:
    with db.transaction() as session:
        if not db.workers.alive(session, role):
            raise RuntimeError(f"no worker of the role {role} is alive")


def _check_sweeper() -> None:
    with db.transaction() as session:
        silence_s = db.workers.seconds_since_seen(session, "sweeper")
    limit_s = max(SWEEPS_MISSED * get_settings().sweep_interval_s, LEAST_SWEEPER_SILENCE_S)
    if silence_s is None or silence_s > limit_s:
        raise RuntimeError(f"the last sweep was {silence_s} s ago")


class _Gauges(Collector):
    """Reads the database at each request, so that all API processes report the same values.

    Only the number of waiting requests counts this process alone.
    """

    def __init__(self, waiting_requests: int) -> None:
        self._waiting_requests = waiting_requests

    def collect(self) -> Iterator[Metric]:
        waits = (Job.state == JobState.READY, Job.waiting_for == db.jobs.STORAGE)
        with db.transaction() as session:
            records = _counts(session, Record.status)
            jobs = _counts(session, Job.state, db.records.CONVERTS, Job.state.in_(UNFINISHED_JOB))
            waiting = _counts(session, Job.waiting_for, *waits) or {db.jobs.STORAGE: 0}
            deliveries = _counts(session, Job.state, ~db.records.CONVERTS)
            alive = len(db.workers.alive(session, "main"))
            silence_s = db.workers.seconds_since_seen(session, "sweeper")
        yield _gauges("records", "Records by status", "status", records)
        yield _gauges("jobs", "Unfinished jobs by state", "state", jobs)
        yield _gauges("deliveries", "Webhook deliveries by state", "state", deliveries)
        yield _gauges("jobs_waiting", "Jobs that wait for a resource", "resource", waiting)
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
    session: Session, column: InstrumentedAttribute[Any], *conditions: ColumnElement[bool]
) -> dict[str, int]:
    """Return the number of rows for each value of a column."""
    rows = session.execute(select(column, func.count()).where(*conditions).group_by(column))
    return dict(rows.all())


def _gauges(name: str, documentation: str, label: str, counts: dict[str, int]) -> Metric:
    gauges = GaugeMetricFamily(f"wav2mp3_{name}", documentation, labels=[label])
    for value, count in counts.items():
        gauges.add_metric([value], count)
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
