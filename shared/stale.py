"""What a crash or a lost message left behind, for the sweeper. Rows that another sweeper has locked are skipped.

Functions take the session of a running transaction, and give at most `limit` rows.
"""

from uuid import UUID

from sqlalchemy import and_, delete, func, or_, select, update
from sqlalchemy.orm import Session

from shared.models import Record, RecordStatus, Segment, SegmentState
from shared.records import ACTIVE, FINISHED, bury

_ABANDONED = and_(Segment.state == SegmentState.ENCODING, Segment.lease_until < func.now())
_UNLEASED = or_(Record.lease_until.is_(None), Record.lease_until < func.now())
_IS_ASSEMBLED_NEXT = and_(
    Record.status == RecordStatus.CONVERTING,
    ~select(Segment.id)
    .where(Segment.record_id == Record.id, Segment.state != SegmentState.DONE)
    .exists(),
)


def worn_out_records(session: Session, max_attempts: int, limit: int) -> list[Record]:
    """Records that nobody works on, and whose attempts at a segment, or at assembling, are used up."""
    worn_out_segment = (
        select(Segment.id)
        .where(
            Segment.record_id == Record.id,
            Segment.attempt >= max_attempts,
            or_(Segment.state == SegmentState.QUEUED, _ABANDONED),
        )
        .exists()
    )
    worn_out_assembly = and_(_IS_ASSEMBLED_NEXT, _UNLEASED, Record.attempt >= max_attempts)
    found = (
        select(Record)
        .where(Record.status.in_(ACTIVE), or_(worn_out_segment, worn_out_assembly))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return list(session.scalars(found))


def take_back_segments(session: Session, limit: int) -> list[int]:
    """Queue the segments again whose worker is dead."""
    abandoned = select(Segment.id).where(_ABANDONED).limit(limit).with_for_update(skip_locked=True)
    return list(
        session.scalars(
            update(Segment)
            .where(Segment.id.in_(abandoned))
            .values(state=SegmentState.QUEUED, lease_until=None)
            .returning(Segment.id)
            .execution_options(synchronize_session=False)
        )
    )


def unassembled_records(session: Session, limit: int) -> list[UUID]:
    """Records whose segments are all done and that nobody assembles."""
    return list(
        session.scalars(select(Record.id).where(_IS_ASSEMBLED_NEXT, _UNLEASED).limit(limit))
    )


def waiting_segments(session: Session, queue: str, in_flight: int, limit: int) -> list[int]:
    """The segments of a queue that wait, the first `in_flight` of each record, oldest records first."""
    place = func.row_number().over(partition_by=Segment.record_id, order_by=Segment.index)
    waiting = (
        select(Segment.id, Segment.index, Record.created_at, place.label("place"))
        .join(Record, Record.id == Segment.record_id)
        .where(
            Segment.queue == queue,
            Segment.state == SegmentState.QUEUED,
            Record.status.in_(ACTIVE),
        )
        .subquery()
    )
    return list(
        session.scalars(
            select(waiting.c.id)
            .where(waiting.c.place <= in_flight)
            .order_by(waiting.c.place, waiting.c.created_at)
            .limit(limit)
        )
    )


def end_abandoned_uploads(session: Session, limit: int) -> list[tuple[UUID, UUID]]:
    """Forget uploads whose API is dead; the ids of their users and their own."""
    abandoned = (
        select(Record.id)
        .where(Record.status == RecordStatus.UPLOADING, Record.lease_until < func.now())
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ended = delete(Record).where(Record.id.in_(abandoned)).returning(Record.user_id, Record.id)
    return [(user_id, record_id) for user_id, record_id in session.execute(ended)]


def expire_records(session: Session, limit: int) -> list[tuple[UUID, UUID]]:
    """Bury the records that have had their time; the ids of their users and their own."""
    expired = (
        select(Record.user_id, Record.id)
        .where(Record.status.in_(FINISHED), Record.expires_at < func.now())
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ended = [(user_id, record_id) for user_id, record_id in session.execute(expired)]
    for _, record_id in ended:
        bury(session, record_id, RecordStatus.EXPIRED)
    return ended
