"""Liveness, readiness and metrics."""

import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import structlog
from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy import func, select

from api.described_errors import responses
from api.openapi import success
from api.schemas import Components, Liveness
from api.volume import require_volume
from shared import db, media, queue
from shared.db import UNFINISHED_JOB, Job, JobKind, JobState, Record
from shared.errors import NotReady
from shared.settings import get_settings

router = APIRouter(tags=["health"])

log = structlog.get_logger(__name__)

SWEEPS_MISSED = 10
LEAST_SWEEPER_SILENCE_S = 30
"""A shorter silence may be a slow sweep or a restart."""


@router.get("/health/live", responses=success(200, "This API process answers."))
async def live() -> Liveness:
    """Check that this API process answers."""
    # Not in a thread: all of them may wait for the database.
    return Liveness(status="ok")


@router.get(
    "/health/ready",
    responses={**responses(NotReady), **success(200, "Every component works.")},
)
def ready() -> Components:
    """Check PostgreSQL, Redis, the media volume, and that the worker, sweeper and sender of webhooks are alive."""
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
    if not os.access(media_dir, os.W_OK | os.X_OK):
        raise PermissionError(f"{media_dir} is not writable")
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
    """Reads the database at each request, so that all API processes report the same values."""

    def collect(self) -> Iterator[Metric]:
        with db.transaction() as session:
            by_status = session.execute(
                select(Record.status, func.count()).group_by(Record.status)
            ).all()
            waiting = session.scalar(
                select(func.count()).where(
                    Job.state == JobState.READY, Job.waiting_for == db.jobs.STORAGE
                )
            )
            by_state = session.execute(
                select(Job.state, func.count())
                .where(Job.kind != JobKind.DELIVER, Job.state.in_(UNFINISHED_JOB))
                .group_by(Job.state)
            ).all()
            deliveries_by_state = session.execute(
                select(Job.state, func.count())
                .where(Job.kind == JobKind.DELIVER)
                .group_by(Job.state)
            ).all()
            alive = len(db.workers.alive(session, "main"))
            silence_s = db.workers.seconds_since_seen(session, "sweeper")
        records = GaugeMetricFamily("wav2mp3_records", "Records by status", labels=["status"])
        for status, count in by_status:
            records.add_metric([status], count)
        jobs = GaugeMetricFamily("wav2mp3_jobs", "Unfinished jobs by state", labels=["state"])
        for state, count in by_state:
            jobs.add_metric([state], count)
        deliveries = GaugeMetricFamily(
            "wav2mp3_deliveries", "Webhook deliveries by state", labels=["state"]
        )
        for state, count in deliveries_by_state:
            deliveries.add_metric([state], count)
        waits = GaugeMetricFamily(
            "wav2mp3_jobs_waiting", "Jobs that wait for a resource", labels=["resource"]
        )
        waits.add_metric([db.jobs.STORAGE], waiting or 0)
        yield from (
            records,
            jobs,
            deliveries,
            waits,
            GaugeMetricFamily("wav2mp3_workers", "Workers alive", alive),
        )
        if silence_s is not None:
            yield GaugeMetricFamily(
                "wav2mp3_seconds_since_sweep", "Seconds since the sweeper last finished", silence_s
            )
        free_bytes = media.free_bytes(get_settings().media_dir)
        yield GaugeMetricFamily("wav2mp3_media_free_bytes", "Free bytes of MEDIA_DIR", free_bytes)


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        **responses(),
        **success(200, "The metrics, as text for Prometheus.", media_type="text/plain"),
    },
)
def metrics() -> Response:
    """Return metrics for Prometheus."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Gauges())
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
