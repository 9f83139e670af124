"""What a crash or a lost message left behind, for the sweeper. Rows that another sweeper has locked are skipped.

Functions take the session of a running transaction.
"""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, delete, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from shared.db.models import UNDONE, Record, RecordStatus, Segment, SegmentState
from shared.db.records import ACTIVE, FINISHED, bury
from shared.db.segments import ABANDONED

_UNASSEMBLED = and_(
    Record.status == RecordStatus.CONVERTING,
    or_(Record.lease_until.is_(None), Record.lease_until < func.now()),
    ~select(Segment.id).where(Segment.record_id == Record.id, Segment.state.in_(UNDONE)).exists(),
)


def worn_out_records(session: Session, max_attempts: int, limit: int) -> list[Record]:
    """Records that nobody works on, and whose attempts at a segment, or at assembling, are used up. They are locked."""
    worn_out_segment = (
        select(Segment.id)
        .where(
            Segment.record_id == Record.id,
            Segment.attempt >= max_attempts,
            or_(Segment.state == SegmentState.QUEUED, ABANDONED),
        )
        .exists()
    )
    worn_out_assembly = and_(_UNASSEMBLED, Record.attempt >= max_attempts)
    found = (
        select(Record)
        .where(Record.status.in_(ACTIVE), or_(worn_out_segment, worn_out_assembly))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return list(session.scalars(found))


def take_back_segments(session: Session, again: Mapping[str, str], limit: int) -> list[int]:
    """Let the segments whose worker is dead wait again, each on the queue that `again` has for its own."""
    abandoned = select(Segment.id).where(ABANDONED).limit(limit).with_for_update(skip_locked=True)
    queue = case(dict(again), value=Segment.queue, else_=Segment.queue)
    return list(
        session.scalars(
            update(Segment)
            .where(Segment.id.in_(abandoned))
            .values(state=SegmentState.QUEUED, lease_until=None, queue=queue)
            .returning(Segment.id)
            .execution_options(synchronize_session=False)
        )
    )


def unassembled_records(session: Session, limit: int) -> list[UUID]:
    """Records whose segments are all done and that nobody assembles."""
    return list(session.scalars(select(Record.id).where(_UNASSEMBLED).limit(limit)))


def due_segments(session: Session, queue: str, in_flight: int, limit: int) -> list[int]:
    """The segments that should be on a queue, oldest first, `limit` at most: who has so many lacks none.

    They wait, and are among the first `in_flight` of their record or that many behind one that is done: that is when
    `segments.finish` calls for them.
    """
    waiting = (Segment.queue == queue, Segment.state == SegmentState.QUEUED, _turn(in_flight))
    oldest_first = select(Segment.id).where(*waiting).order_by(Segment.id).limit(limit)
    return list(session.scalars(oldest_first))


def _turn(in_flight: int) -> ColumnElement[bool]:
    earlier = aliased(Segment)
    its_turn = select(earlier.id).where(
        earlier.record_id == Segment.record_id,
        earlier.index == Segment.index - in_flight,
        earlier.state == SegmentState.DONE,
    )
    return or_(Segment.index < in_flight, its_turn.exists())


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
