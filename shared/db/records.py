"""Every change of a record's state. Each is one guarded UPDATE, by the database's clock.

    uploading -> queued -> converting -> done | failed;  any of these -> deleted;  done | failed -> expired

Functions take the session of a running transaction and do not commit. Leases are in seconds. Whoever waits for a record
hears of each change by PostgreSQL's NOTIFY, on commit. `shared/segments.py` and `shared/assemblies.py` change what
workers hold.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Text, cast, delete, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as insert_or
from sqlalchemy.orm import InstrumentedAttribute, Session

from shared.db.models import (
    GONE,
    HOLDS_FILENAME,
    PENDING,
    UNDONE,
    Record,
    RecordStatus,
    Segment,
    SegmentState,
)
from shared.errors import FilenameTaken, TooManyPending, Wav2mp3Error
from shared.mp3_options import Options
from shared.segmentation import SampleRange

CHANGES = "record_changes"
"""the NOTIFY channel; a payload is the id of the record that changed"""

ACTIVE = (RecordStatus.QUEUED, RecordStatus.CONVERTING)
FINISHED = (RecordStatus.DONE, RecordStatus.FAILED)


def from_now(seconds: float) -> ColumnElement[Any]:
    return func.now() + timedelta(seconds=seconds)


def change(session: Session, record_id: UUID, *guards: ColumnElement[bool], **values: Any) -> bool:
    """Change a record if the guards hold, and tell whoever waits for it."""
    changed = session.execute(
        update(Record)
        .where(Record.id == record_id, *guards)
        .values(values)
        .returning(announcing(Record.id))
        .execution_options(synchronize_session=False)
    )
    return changed.first() is not None


def announcing(record_id: ColumnElement[UUID] | InstrumentedAttribute[UUID]) -> ColumnElement[None]:
    """Behind RETURNING: tells whoever waits for the record of a changed row."""
    return func.pg_notify(CHANGES, cast(record_id, Text))


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


def need_not_last(session: Session) -> None:
    """For a transaction that renews a lease: a crash of PostgreSQL may lose it, so that it need not wait for the disk.

    It would not wait alone: transactions that announce a change are committed one after the other.
    """
    session.execute(text("SET LOCAL synchronous_commit = off"))


def keep_uploading(session: Session, record_id: UUID, lease_s: float) -> bool:
    """Renew the API's lease on an upload; False when the record is gone."""
    need_not_last(session)
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
    stretches: Sequence[SampleRange],
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
        expires_at=expiry(retention_h),
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


def expiry(retention_h: float | None) -> ColumnElement[Any] | None:
    return None if retention_h is None else from_now(3600 * retention_h)
