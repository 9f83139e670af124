"""A record as it is at one moment, with the progress of its jobs. One query reads any number of them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, Select, bindparam, case, func, select

from shared import db
from shared.db import (
    ACTIVE,
    ENCODED_FRACTION,
    FINISHED,
    GONE,
    Delivery,
    Job,
    JobKind,
    JobState,
    Record,
    RecordStatus,
)


class Snapshot(NamedTuple):
    id: UUID
    user_id: UUID
    status: str
    filename: str
    options: dict[str, Any]
    tags: dict[str, str]
    target: dict[str, Any] | None
    duration_s: float | None
    source_bytes: int | None
    mp3_bytes: int | None
    warnings: list[str]
    error_code: str | None
    error_detail: str | None
    created_at: datetime
    finished_at: datetime | None
    expires_at: datetime | None
    callback_url: str | None
    encoded_fraction: float | None
    """Of the audio. None before the conversion and after success."""
    waits_for_storage: bool | None
    queue_position: int | None = None
    delivery: Mapping[str, Any] | None = None
    """The newest delivery to the callback URL, with the fields of `schemas.WebhookView`."""

    @property
    def is_final(self) -> bool:
        return self.status in FINISHED or self.is_gone

    @property
    def is_gone(self) -> bool:
        return self.status in GONE


def _encoded_fraction() -> Any:
    fraction = select(ENCODED_FRACTION).where(
        Job.record_id == Record.id, Job.kind == JobKind.ENCODE
    )
    has_begun = Record.status.in_((RecordStatus.CONVERTING, RecordStatus.FAILED))
    return case((has_begun, fraction.scalar_subquery()))


def _waits_for_storage() -> Any:
    waiting = select(Job.id).where(
        Job.record_id == Record.id,
        Job.state == JobState.READY,
        Job.waiting_for == db.jobs.STORAGE,
    )
    return case((Record.status.in_(ACTIVE), waiting.exists()))


SNAPSHOTS: Select[Any] = select(
    *(getattr(Record, name) for name in Snapshot._fields if hasattr(Record, name)),
    _encoded_fraction(),
    _waits_for_storage(),
)
"""The query without its condition. Add one, then call `read`."""


def _queued() -> Any:
    position = func.row_number().over(partition_by=Job.queue, order_by=Job.id)
    return (
        select(Job.record_id, position.label("position"))
        .where(
            Job.kind == JobKind.ENCODE,
            Job.index == 0,
            Job.state == JobState.READY,
            Job.attempt == 0,
        )
        .subquery()
    )


QUEUED = _queued()
"""The position of each waiting record in its queue. Records are in the order in which they were accepted."""
POSITIONS = select(QUEUED.c.record_id, QUEUED.c.position).where(
    QUEUED.c.record_id.in_(bindparam("ids", expanding=True))
)


def read(
    connection: Connection, query: Select[Any], parameters: Mapping[str, Any] | None = None
) -> list[Snapshot]:
    found = [Snapshot(*row) for row in connection.execute(query, parameters)]
    called = [each.id for each in found if each.callback_url is not None]
    if called:
        deliveries = _newest_deliveries(connection, called)
        found = [each._replace(delivery=deliveries.get(each.id)) for each in found]
    waiting = [each.id for each in found if each.status == RecordStatus.QUEUED]
    if not waiting:
        return found
    rows = connection.execute(POSITIONS, {"ids": waiting})
    positions = {row.record_id: row.position for row in rows}
    return [each._replace(queue_position=positions.get(each.id)) for each in found]


def _newest_deliveries(
    connection: Connection, called: Sequence[UUID]
) -> dict[UUID, Mapping[str, Any]]:
    is_waiting = Job.state.in_((JobState.READY, JobState.RUNNING))
    newest = (
        select(
            Job.record_id,
            Delivery.event,
            Job.attempt.label("attempts"),
            Delivery.last_status,
            Delivery.last_error,
            Delivery.delivered_at,
            case((is_waiting, Job.run_at)).label("next_attempt_at"),
        )
        .join(Delivery, Delivery.job_id == Job.id)
        .where(Job.record_id.in_(called))
        .distinct(Job.record_id)
        .order_by(Job.record_id, Job.index.desc())
    )
    rows = (dict(row) for row in connection.execute(newest).mappings())
    return {row.pop("record_id"): row for row in rows}
