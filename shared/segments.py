"""Every change of a segment's state. Each is one guarded UPDATE, by the database's clock.

    queued -> encoding -> done;  encoding -> queued (to be tried again) | failed (with its record)

A claim counts an attempt and gives a lease; every later change by its holder is guarded by that attempt, so a
worker that lost its lease, or whose record was deleted, changes nothing. Functions take the session of a
running transaction.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.orm import Session

from shared import records
from shared.encoding import Options, Stretch
from shared.models import Record, RecordStatus, Segment, SegmentState


@dataclass(frozen=True, slots=True)
class SegmentClaim:
    """A segment that its holder encodes."""

    segment_id: int
    record_id: UUID
    user_id: UUID
    index: int
    stretch: Stretch
    options: Options
    attempt: int


@dataclass(frozen=True, slots=True)
class Finished:
    """What follows when a segment is done: the record is to be assembled, or another segment's turn has come."""

    all_done: bool
    next_segment_id: int | None


def claim(
    session: Session, segment_id: int, *, max_attempts: int, lease_s: float
) -> SegmentClaim | None:
    """Take a segment that waits or whose holder is dead; None when there is nothing to take."""
    waits = Segment.state == SegmentState.QUEUED
    abandoned = and_(Segment.state == SegmentState.ENCODING, Segment.lease_until < func.now())
    claimed = session.execute(
        update(Segment)
        .where(
            Segment.id == segment_id,
            Segment.attempt < max_attempts,
            or_(waits, abandoned),
            Record.id == Segment.record_id,
            Record.status.in_(records.ACTIVE),
        )
        .values(
            state=SegmentState.ENCODING,
            attempt=Segment.attempt + 1,
            lease_until=records.from_now(lease_s),
            encoded_samples=0,
        )
        .returning(Segment, Record.user_id, Record.options)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if claimed is None:
        return None
    segment, user_id, options = claimed
    is_queued = Record.status == RecordStatus.QUEUED
    records.change(session, segment.record_id, is_queued, status=RecordStatus.CONVERTING)
    return SegmentClaim(
        segment_id=segment.id,
        record_id=segment.record_id,
        user_id=user_id,
        index=segment.index,
        stretch=Stretch(segment.start_sample, segment.samples),
        options=Options(**options),
        attempt=segment.attempt,
    )


def renew(session: Session, held: SegmentClaim, *, encoded_samples: int, lease_s: float) -> bool:
    """Report progress and keep the lease; False when it was lost."""
    lease_until = records.from_now(lease_s)
    return _change(session, held, lease_until=lease_until, encoded_samples=encoded_samples)


def finish(
    session: Session, held: SegmentClaim, *, samples: int, in_flight: int
) -> Finished | None:
    """The part is durable and holds `samples` of the source. None when the lease was lost."""
    # Two workers may finish the last two segments at once; the row lock lets one of them see that all are done.
    session.execute(select(Record.id).where(Record.id == held.record_id).with_for_update())
    done = {"state": SegmentState.DONE, "samples": samples, "encoded_samples": samples}
    if not _change(session, held, **done):
        return None
    siblings = Segment.record_id == held.record_id
    unfinished = select(Segment.id).where(siblings, Segment.state != SegmentState.DONE)
    next_segment_id = session.scalar(
        select(Segment.id).where(
            siblings,
            Segment.index == held.index + in_flight,
            Segment.state == SegmentState.QUEUED,
        )
    )
    all_done = not session.scalars(select(unfinished.exists())).one()
    return Finished(all_done, next_segment_id)


def give_back(session: Session, held: SegmentClaim) -> bool:
    """Put a segment back on the queue, to be tried again; False when the lease was lost."""
    return _change(session, held, state=SegmentState.QUEUED, lease_until=None)


def done(session: Session, record_id: UUID) -> list[Segment]:
    """A record's segments that are done, in order. `attempt` is the one whose part counts."""
    of_record = (Segment.record_id == record_id, Segment.state == SegmentState.DONE)
    return list(session.scalars(select(Segment).where(*of_record).order_by(Segment.index)))


def _change(session: Session, held: SegmentClaim, **values: Any) -> bool:
    changed = session.scalar(
        update(Segment)
        .where(
            Segment.id == held.segment_id,
            Segment.attempt == held.attempt,
            Segment.state == SegmentState.ENCODING,
        )
        .values(values)
        .returning(Segment.id)
        .execution_options(synchronize_session=False)
    )
    if changed is None:
        return False
    records.announce(session, held.record_id)
    return True
