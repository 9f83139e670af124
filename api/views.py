"""Turns rows into the records that users see, with their links."""

from collections.abc import Sequence
from typing import Annotated
from urllib.parse import quote
from uuid import UUID

from fastapi import Depends, Request
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from api.deps import AppSettings
from api.options import RecordOptions
from api.problems import problem
from api.schemas import Problem, RecordView, TargetView
from shared import db, mp3_options
from shared.db import ACTIVE, GONE, Job, JobKind, JobState, Record, RecordStatus
from shared.errors import RecordGone, RecordNotFound
from shared.mp3_options import Target


class Links:
    """Builds absolute links on PUBLIC_URL or, if that is unset, on the host of the request."""

    def __init__(self, base_url: str) -> None:
        self._base = base_url.rstrip("/")

    def status(self, record_id: UUID) -> str:
        return f"{self._base}/records/{record_id}"

    def download(self, record_id: UUID, user_id: UUID) -> str:
        return f"{self._base}/record?id={record_id}&user_id={user_id}"

    def page(self, before: UUID, limit: int, filename: str | None) -> str:
        only = "" if filename is None else f"&filename={quote(filename)}"
        return f"{self._base}/records?before={before}&limit={limit}{only}"


async def _links(request: Request, settings: AppSettings) -> Links:
    return Links(str(settings.public_url or request.base_url))


RecordLinks = Annotated[Links, Depends(_links)]


def find(session: Session, record_id: UUID, user_id: UUID | None = None) -> Record:
    """Return a record, only if `user_id` owns it or is None. Raises RecordNotFound, RecordGone."""
    record = session.get(Record, record_id)
    if record is None or user_id not in (None, record.user_id):
        raise RecordNotFound
    if record.status in GONE:
        raise RecordGone
    return record


def load(record_id: UUID, links: Links) -> RecordView:
    """Read a record in a transaction of its own. Raises RecordNotFound, RecordGone."""
    with db.transaction() as session:
        return view_all(session, [find(session, record_id)], links)[0]


def view_all(session: Session, records: Sequence[Record], links: Links) -> list[RecordView]:
    progress = _progress(session, records)
    positions = _queue_positions(session, records)
    waiting = _waiting_for_storage(session, records)
    return [
        RecordView(
            id=record.id,
            status=RecordStatus(record.status),
            progress=1.0 if record.status == RecordStatus.DONE else progress.get(record.id, 0.0),
            queue_position=positions.get(record.id),
            waiting_for=db.jobs.STORAGE if record.id in waiting else None,
            filename=record.filename,
            duration_s=record.duration_s,
            source_bytes=record.source_bytes,
            mp3_bytes=record.mp3_bytes,
            options=stored_options(record),
            target=_target(record),
            warnings=record.warnings,
            error=_error(record),
            created_at=record.created_at,
            finished_at=record.finished_at,
            expires_at=record.expires_at,
            download_link=_download_link(record, links),
        )
        for record in records
    ]


def stored_options(record: Record) -> RecordOptions:
    # Not validated: another release may have had other limits.
    stored = record.options | record.tags
    known = {name: stored[name] for name in RecordOptions.model_fields if name in stored}
    return RecordOptions.model_construct(**known)


def _target(record: Record) -> TargetView | None:
    if record.target is None:
        return None
    target = mp3_options.from_stored(Target, record.target)
    return TargetView(
        mode="vbr" if target.bitrate_kbps is None else "cbr",
        quality=target.quality,
        bitrate_kbps=target.bitrate_kbps,
        sample_rate_hz=target.sample_rate_hz,
        channels=target.channels,
    )


def _error(record: Record) -> Problem | None:
    return problem(record.error_code, record.error_detail or "") if record.error_code else None


def _download_link(record: Record, links: Links) -> str | None:
    is_done = record.status == RecordStatus.DONE
    return links.download(record.id, record.user_id) if is_done else None


def _progress(session: Session, records: Sequence[Record]) -> dict[UUID, float]:
    """Return the encoded fraction of each record that has started but is not done."""
    begun = [
        record.id
        for record in records
        if record.status in (RecordStatus.CONVERTING, RecordStatus.FAILED)
    ]
    if not begun:
        return {}
    sums = session.execute(
        select(Job.record_id, func.sum(Job.encoded_samples), func.sum(Job.samples))
        .where(Job.record_id.in_(begun), Job.kind == JobKind.ENCODE)
        .group_by(Job.record_id)
    )
    return {
        record_id: round(min(float(encoded / samples), 1.0), 4)
        for record_id, encoded, samples in sums
        if samples
    }


def _queue_positions(session: Session, records: Sequence[Record]) -> dict[UUID, int]:
    """Return the position of each waiting record in its queue, by the order in which they were accepted."""
    waiting = [record.id for record in records if record.status == RecordStatus.QUEUED]
    if not waiting:
        return {}
    first = (
        select(
            Job.record_id,
            func.row_number().over(partition_by=Job.queue, order_by=Job.id).label("position"),
        )
        .where(
            Job.kind == JobKind.ENCODE,
            Job.index == 0,
            Job.state == JobState.READY,
            Job.attempt == 0,
        )
        .subquery()
    )
    found = select(first.c.record_id, first.c.position).where(first.c.record_id.in_(waiting))
    return dict(session.execute(found).all())


def _waiting_for_storage(session: Session, records: Sequence[Record]) -> set[UUID]:
    active = [record.id for record in records if record.status in ACTIVE]
    if not active:
        return set()
    waiting = select(Job.record_id).where(
        Job.record_id.in_(active), Job.state == JobState.READY, Job.waiting_for == db.jobs.STORAGE
    )
    return set(session.scalars(waiting))
