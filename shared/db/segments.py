"""Every change of a segment's state. Each is one guarded UPDATE, by the database's clock.

    queued -> encoding -> done;  encoding -> queued (to be tried again) | failed (with its record)

A claim counts an attempt and gives a lease; every later change by its holder is guarded by that attempt, so a
worker that lost its lease, or whose record was deleted, changes nothing. Functions take the session of a
running transaction. Whatever changes both locks the record before its segments, so that no two can block each other.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, func, or_, select, update
from sqlalchemy.orm import Session

from shared.db import records
from shared.db.models import UNDONE, Record, RecordStatus, Segment, SegmentState
from shared.mp3_options import Options
from shared.segmentation import SampleRange

ABANDONED = and_(Segment.state == SegmentState.ENCODING, Segment.lease_until < func.now())
"""Its worker is dead, or has not been able to renew its lease."""


@dataclass(frozen=True, slots=True)
class SegmentClaim:
    """A segment that its holder encodes."""

    segment_id: int
    record_id: UUID
    user_id: UUID
    index: int
    stretch: SampleRange
    options: Options
    attempt: int


@dataclass(frozen=True, slots=True)
class Finished:
    """What follows when a segment is done: the record is to be assembled, or another segment is due."""

    all_done: bool
    due: Segment | None


def claim(
    session: Session, segment_id: int, *, max_attempts: int, lease_s: float
) -> SegmentClaim | None:
    """Take a segment that waits or whose holder is dead; None when there is nothing to take."""
    record = session.scalar(
        _locked().join(Segment, Segment.record_id == Record.id).where(Segment.id == segment_id)
    )
    if record is None or record.status not in records.ACTIVE:
        return None
    segment = session.scalar(
        update(Segment)
        .where(
            Segment.id == segment_id,
            Segment.attempt < max_attempts,
            or_(Segment.state == SegmentState.QUEUED, ABANDONED),
        )
        .values(
            state=SegmentState.ENCODING,
            attempt=Segment.attempt + 1,
            lease_until=records.from_now(lease_s),
            encoded_samples=0,
        )
        .returning(Segment)
        .execution_options(synchronize_session=False)
    )
    if segment is None:
        return None
    if record.status == RecordStatus.QUEUED:
        records.change(session, record.id, status=RecordStatus.CONVERTING)
    return SegmentClaim(
        segment_id=segment.id,
        record_id=record.id,
        user_id=record.user_id,
        index=segment.index,
        stretch=SampleRange(segment.start_sample, segment.samples),
        options=Options(**record.options),
        attempt=segment.attempt,
    )


def renew(session: Session, held: SegmentClaim, *, encoded_samples: int, lease_s: float) -> bool:
    """Report progress and keep the lease; False when it was lost."""
    records.need_not_last(session)
    lease_until = records.from_now(lease_s)
    return _change(session, held, lease_until=lease_until, encoded_samples=encoded_samples)


def finish(
    session: Session, held: SegmentClaim, *, samples: int, in_flight: int
) -> Finished | None:
    """The part is durable and holds `samples` of the source. None when the lease was lost."""
    # Two workers may finish the last two segments at once; the lock lets one of them see that all are done.
    _lock(session, held)
    done = {"state": SegmentState.DONE, "samples": samples, "encoded_samples": samples}
    if not _change(session, held, lease_until=None, **done):
        return None
    siblings = Segment.record_id == held.record_id
    undone = select(Segment.id).where(siblings, Segment.state.in_(UNDONE))
    if not session.scalars(select(undone.exists())).one():
        return Finished(all_done=True, due=None)
    due = session.scalar(
        select(Segment).where(
            siblings,
            Segment.index == held.index + in_flight,
            Segment.state == SegmentState.QUEUED,
        )
    )
    return Finished(all_done=False, due=due)


def give_back(session: Session, held: SegmentClaim) -> bool:
    """Let a segment wait again, to be tried once more; False when the lease was lost."""
    _lock(session, held)
    return _change(session, held, state=SegmentState.QUEUED, lease_until=None)


def _locked() -> Select[Record]:
    return select(Record).with_for_update(of=Record, key_share=True)


def _lock(session: Session, held: SegmentClaim) -> None:
    session.execute(_locked().where(Record.id == held.record_id))


def _change(session: Session, held: SegmentClaim, **values: Any) -> bool:
    changed = session.execute(
        update(Segment)
        .where(
            Segment.id == held.segment_id,
            Segment.attempt == held.attempt,
            Segment.state == SegmentState.ENCODING,
        )
        .values(values)
        .returning(records.announcing(Segment.record_id))
        .execution_options(synchronize_session=False)
    )
    return changed.first() is not None
