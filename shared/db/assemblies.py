"""Assembling a record whose segments are all done: claimed, renewed, completed, as a segment is.

A claim counts an attempt and gives a lease; every later change by its holder is guarded by that attempt. Functions
take the session of a running transaction.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.orm import Session

from shared.db import records
from shared.db.models import UNDONE, Record, RecordStatus, Segment
from shared.mp3_options import Options


@dataclass(frozen=True, slots=True)
class Part:
    """The part of a segment that is done. `samples` are the source's, of each channel."""

    index: int
    attempt: int
    samples: int


@dataclass(frozen=True, slots=True)
class AssemblyClaim:
    """A record whose parts its holder joins, in their order."""

    record_id: UUID
    user_id: UUID
    options: Options
    tags: dict[str, str]
    attempt: int
    parts: tuple[Part, ...]


def claim(
    session: Session, record_id: UUID, *, max_attempts: int, lease_s: float
) -> AssemblyClaim | None:
    """Take a record whose segments are all done and that nobody assembles; None when there is nothing to take."""
    of_record = Segment.record_id == record_id
    undone = select(Segment.id).where(of_record, Segment.state.in_(UNDONE))
    record = session.scalar(
        update(Record)
        .where(
            Record.id == record_id,
            Record.status == RecordStatus.CONVERTING,
            Record.attempt < max_attempts,
            or_(Record.lease_until.is_(None), Record.lease_until < func.now()),
            ~undone.exists(),
        )
        .values(attempt=Record.attempt + 1, lease_until=records.from_now(lease_s))
        .returning(Record)
        .execution_options(synchronize_session=False)
    )
    if record is None:
        return None
    parts = select(Segment.index, Segment.attempt, Segment.samples).where(of_record)
    return AssemblyClaim(
        record_id=record.id,
        user_id=record.user_id,
        options=Options(**record.options),
        tags=record.tags,
        attempt=record.attempt,
        parts=tuple(Part(*row) for row in session.execute(parts.order_by(Segment.index))),
    )


def renew(session: Session, held: AssemblyClaim, lease_s: float) -> bool:
    """False when the lease was lost or the record is gone."""
    records.need_not_last(session)
    lease_until = records.from_now(lease_s)
    return records.change(session, held.record_id, *_held(held), lease_until=lease_until)


def give_back(session: Session, held: AssemblyClaim) -> bool:
    """Let it be tried again; False when the lease was lost or the record is gone."""
    return records.change(session, held.record_id, *_held(held), lease_until=None)


def complete(
    session: Session,
    held: AssemblyClaim,
    *,
    mp3_bytes: int,
    duration_s: float,
    retention_h: float | None,
) -> bool:
    """The MP3 is durable. False when the lease was lost or the record is gone."""
    return records.change(
        session,
        held.record_id,
        *_held(held),
        status=RecordStatus.DONE,
        mp3_bytes=mp3_bytes,
        duration_s=duration_s,
        lease_until=None,
        finished_at=func.now(),
        expires_at=records.expiry(retention_h),
    )


def _held(held: AssemblyClaim) -> tuple[ColumnElement[bool], ...]:
    return (Record.attempt == held.attempt, Record.status == RecordStatus.CONVERTING)
