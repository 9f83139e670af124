"""Every change of a record's state. Each is one guarded UPDATE, by the database's clock.

    uploading -> queued -> converting -> done | failed;  any of these -> deleted;  done | failed -> expired

Functions take the session of a running transaction and do not commit. Leases are in seconds. Whoever waits for a record
hears of each change by PostgreSQL's NOTIFY, on commit. The states of segments are `shared/segments.py`'s.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or
from sqlalchemy.orm import Session

from shared.encoding import Options, Stretch
from shared.errors import FilenameTaken, TooManyPending, Wav2mp3Error
from shared.models import (
    GONE,
    HOLDS_FILENAME,
    PENDING,
    UNDONE,
    Record,
    RecordStatus,
    Segment,
    SegmentState,
)

CHANGES = "record_changes"
"""the NOTIFY channel; a payload is the id of the record that changed"""

ACTIVE = (RecordStatus.QUEUED, RecordStatus.CONVERTING)
FINISHED = (RecordStatus.DONE, RecordStatus.FAILED)


@dataclass(frozen=True, slots=True)
class AssemblyClaim:
    """A record whose parts its holder joins. Later changes are guarded by the attempt."""

    record_id: UUID
    user_id: UUID
    options: Options
    tags: dict[str, str]
    attempt: int


def from_now(seconds: float) -> ColumnElement[Any]:
    return func.now() + timedelta(seconds=seconds)


def change(session: Session, record_id: UUID, *guards: ColumnElement[bool], **values: Any) -> bool:
    """Change a record if the guards hold, and tell whoever waits for it."""
    changed = session.scalar(
        update(Record)
        .where(Record.id == record_id, *guards)
        .values(values)
        .returning(Record.id)
        .execution_options(synchronize_session=False)
    )
    if changed is None:
        return False
    announce(session, record_id)
    return True


def announce(session: Session, record_id: UUID) -> None:
    session.execute(select(func.pg_notify(CHANGES, str(record_id))))


def reserve(
    session: Session,
    user_id: UUID,
    filename: str,
    options: Options,
    tags: dict[str, str],
    *,
    max_pending: int,
    lease_s: float,
) -> UUID:
    """Begin a record; its filename is taken from here on. Raises FilenameTaken, TooManyPending."""
    pending = select(func.count()).where(Record.user_id == user_id, Record.status.in_(PENDING))
    if session.scalars(pending).one() >= max_pending:
        raise TooManyPending
    record_id: UUID | None = session.scalar(
        insert_or(Record)
        .values(
            user_id=user_id,
            filename=filename,
            options=asdict(options),
            tags=tags,
            lease_until=from_now(lease_s),
        )
        .on_conflict_do_nothing(index_elements=["user_id", "filename"], index_where=HOLDS_FILENAME)
        .returning(Record.id)
    )
    if record_id is None:
        raise FilenameTaken(record_id=_holder_of(session, user_id, filename))
    return record_id


def _holder_of(session: Session, user_id: UUID, filename: str) -> UUID | None:
    return session.scalar(
        select(Record.id).where(
            Record.user_id == user_id, Record.filename == filename, HOLDS_FILENAME
        )
    )


def keep_uploading(session: Session, record_id: UUID, lease_s: float) -> bool:
    """Renew the API's lease on an upload; False when the record is gone."""
    uploading = Record.status == RecordStatus.UPLOADING
    return change(session, record_id, uploading, lease_until=from_now(lease_s))


def release(session: Session, record_id: UUID) -> bool:
    """Forget an upload that did not arrive whole: its filename is free again. False if it was accepted after all."""
    this = Record.id == record_id
    session.execute(delete(Record).where(this, Record.status == RecordStatus.UPLOADING))
    return session.scalar(select(Record.id).where(this, Record.status.not_in(GONE))) is None


def accept(
    session: Session,
    record_id: UUID,
    *,
    source_bytes: int,
    duration_s: float | None,
    warnings: Iterable[str],
    stretches: Sequence[Stretch],
    queue: str,
) -> list[int]:
    """The source is whole and durable: queue its segments. Their ids in order; none if the record is gone."""
    accepted = change(
        session,
        record_id,
        Record.status == RecordStatus.UPLOADING,
        status=RecordStatus.QUEUED,
        source_bytes=source_bytes,
        duration_s=duration_s,
        warnings=list(warnings),
        lease_until=None,
    )
    if not accepted:
        return []
    rows = [
        {"record_id": record_id, "index": index, "queue": queue, **asdict(stretch)}
        for index, stretch in enumerate(stretches)
    ]
    return list(
        session.scalars(insert(Segment).returning(Segment.id, sort_by_parameter_order=True), rows)
    )


def claim_assembly(
    session: Session, record_id: UUID, *, max_attempts: int, lease_s: float
) -> AssemblyClaim | None:
    """Take a record whose segments are all done and that nobody assembles; None when there is nothing to take."""
    undone = select(Segment.id).where(Segment.record_id == record_id, Segment.state.in_(UNDONE))
    record = session.scalar(
        update(Record)
        .where(
            Record.id == record_id,
            Record.status == RecordStatus.CONVERTING,
            Record.attempt < max_attempts,
            or_(Record.lease_until.is_(None), Record.lease_until < func.now()),
            ~undone.exists(),
        )
        .values(attempt=Record.attempt + 1, lease_until=from_now(lease_s))
        .returning(Record)
        .execution_options(synchronize_session=False)
    )
    if record is None:
        return None
    return AssemblyClaim(
        record_id=record.id,
        user_id=record.user_id,
        options=Options(**record.options),
        tags=record.tags,
        attempt=record.attempt,
    )


def renew_assembly(session: Session, claim: AssemblyClaim, lease_s: float) -> bool:
    return change(session, claim.record_id, *_held(claim), lease_until=from_now(lease_s))


def give_back_assembly(session: Session, claim: AssemblyClaim) -> bool:
    return change(session, claim.record_id, *_held(claim), lease_until=None)


def complete(
    session: Session,
    claim: AssemblyClaim,
    *,
    mp3_bytes: int,
    duration_s: float,
    retention_h: float | None,
) -> bool:
    """The MP3 is durable. False when the lease was lost or the record is gone."""
    return change(
        session,
        claim.record_id,
        *_held(claim),
        status=RecordStatus.DONE,
        mp3_bytes=mp3_bytes,
        duration_s=duration_s,
        lease_until=None,
        finished_at=func.now(),
        expires_at=_expiry(retention_h),
    )


def fail(
    session: Session, record_id: UUID, error: Wav2mp3Error, *, retention_h: float | None
) -> bool:
    """Give a record up, with the reason for its user. False when it is finished or gone."""
    failed = change(
        session,
        record_id,
        Record.status.in_(ACTIVE),
        status=RecordStatus.FAILED,
        error_code=error.code,
        error_detail=error.detail,
        lease_until=None,
        finished_at=func.now(),
        expires_at=_expiry(retention_h),
    )
    if failed:
        session.execute(
            update(Segment)
            .where(Segment.record_id == record_id, Segment.state.in_(UNDONE))
            .values(state=SegmentState.FAILED, lease_until=None)
            .execution_options(synchronize_session=False)
        )
    return failed


def bury(session: Session, record_id: UUID, status: RecordStatus) -> bool:
    """Delete or expire a record: a tombstone stays, its filename is free, and whoever converts it loses the lease."""
    buried = change(session, record_id, Record.status.not_in(GONE), status=status, lease_until=None)
    if buried:
        session.execute(delete(Segment).where(Segment.record_id == record_id))
    return buried


def _held(claim: AssemblyClaim) -> tuple[ColumnElement[bool], ...]:
    return (Record.attempt == claim.attempt, Record.status == RecordStatus.CONVERTING)


def _expiry(retention_h: float | None) -> ColumnElement[Any] | None:
    return None if retention_h is None else from_now(3600 * retention_h)
