"""Every change of a record's state. Each is one guarded UPDATE, by the database's clock.

    uploading -> queued -> converting -> done | failed;  failed -> queued;  any of these -> deleted;
    done | failed -> expired

Functions take the session of a running transaction and do not commit. PostgreSQL's NOTIFY tells waiting clients about
each change, on commit. `shared/db/uploads.py` creates records, and `shared/db/jobs.py` changes the work on a record.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Interval,
    Text,
    Update,
    bindparam,
    cast,
    delete,
    func,
    select,
    text,
    true,
    type_coerce,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import InstrumentedAttribute, Session

from shared.db.models import (
    ACTIVE,
    FINISHED,
    GONE,
    HOLDS_FILENAME,
    RECORDS,
    UNFINISHED_JOB,
    Event,
    Job,
    JobKind,
    JobState,
    Record,
    RecordStatus,
)
from shared.db.webhook_events import announce
from shared.errors import FilenameTaken, RecordGone, RecordNotFound, Wav2mp3Error
from shared.mp3_options import Options, Target

CHANGES = "record_changes"
"""The NOTIFY channel. Its payload is the id of the record that changed."""


CONVERTS = Job.kind != JobKind.DELIVER
"""The jobs that are part of a record's conversion."""


def find(session: Session, record_id: UUID, user_id: UUID | None = None) -> Record:
    """Return a record. If `user_id` is not None, that user must own it. Raises RecordNotFound, RecordGone."""
    record = session.get(Record, record_id)
    if record is None or user_id not in (None, record.user_id):
        raise RecordNotFound
    if record.status in GONE:
        raise RecordGone
    return record


def from_now(seconds: float) -> ColumnElement[Any]:
    return func.now() + timedelta(seconds=seconds)


def notify_change(
    record_id: ColumnElement[UUID] | InstrumentedAttribute[UUID],
) -> ColumnElement[None]:
    """Notify the clients that wait for the record of a changed row. Use this in RETURNING."""
    return func.pg_notify(CHANGES, cast(record_id, Text))


def change_of(*guards: ColumnElement[bool], **values: Any) -> Update:
    """Build a change of a record. `apply` makes it if the guards hold, and notifies the clients that wait."""
    return (
        update(RECORDS)
        .where(Record.id == bindparam("this_record"), *guards)
        .values(values)
        .returning(notify_change(Record.id))
    )


def apply(session: Session, record_id: UUID, changing: Update, **parameters: Any) -> bool:
    """Make a change of `change_of`. Return whether the record changed."""
    changed = session.execute(changing, {"this_record": record_id, **parameters})
    return changed.first() is not None


def change(session: Session, record_id: UUID, *guards: ColumnElement[bool], **values: Any) -> bool:
    """Build and make a change. Return whether the record changed."""
    return apply(session, record_id, change_of(*guards, **values))


_ACCEPT = change_of(
    Record.status == RecordStatus.UPLOADING,
    status=RecordStatus.QUEUED,
    source_bytes=bindparam("new_source_bytes"),
    duration_s=bindparam("new_duration_s"),
    target=bindparam("new_target"),
    reserved_bytes=bindparam("new_reserved_bytes"),
    warnings=bindparam("new_warnings"),
)
_FINISH = change_of(
    Record.status == RecordStatus.CONVERTING,
    status=RecordStatus.DONE,
    mp3_bytes=bindparam("new_mp3_bytes"),
    duration_s=bindparam("new_duration_s"),
    warnings=type_coerce(Record.warnings, JSONB).concat(bindparam("added_warnings", type_=JSONB)),
    finished_at=func.now(),
    expires_at=func.now() + bindparam("retention", type_=Interval),
)
_HOLDER = select(Record.id).where(
    Record.user_id == bindparam("user_id"),
    Record.filename == bindparam("filename"),
    HOLDS_FILENAME,
)
_RESERVED_BYTES = select(func.coalesce(func.sum(Record.reserved_bytes), 0)).where(
    Record.status.in_(ACTIVE)
)


def holder(session: Session, user_id: UUID, filename: str) -> UUID | None:
    """Return the record that holds a filename of the user."""
    return session.scalar(_HOLDER, {"user_id": user_id, "filename": filename})


def replace(session: Session, user_id: UUID, filename: str) -> UUID | None:
    """Delete the record that holds a filename, for an upload that is accepted in the same transaction."""
    replaced = session.scalar(_HOLDER.with_for_update(), {"user_id": user_id, "filename": filename})
    if replaced is not None:
        mark_gone(session, replaced, RecordStatus.DELETED)
    return replaced


def use_async_commit(session: Session) -> None:
    """Skip waiting for the disk on this commit.

    Safe for lease renewals: if PostgreSQL crashes and loses one, the lease just expires. The wait would delay others
    too, because transactions that notify are committed one after the other.
    """
    session.execute(text("SET LOCAL synchronous_commit = off"))


def accept(
    session: Session,
    record_id: UUID,
    *,
    source_bytes: int,
    duration_s: float | None,
    target: Target,
    reserved_bytes: int,
    warnings: Iterable[str],
) -> bool:
    """Queue a record whose source is complete and durable. Return False if the record is gone.

    The caller creates its jobs in the same transaction. Raises FilenameTaken.
    """
    return _take_filename(
        session,
        record_id,
        _ACCEPT,
        new_source_bytes=source_bytes,
        new_duration_s=duration_s,
        new_target=asdict(target),
        new_reserved_bytes=reserved_bytes,
        new_warnings=_storable(warnings),
    )


def retry(
    session: Session,
    record_id: UUID,
    *,
    options: Options,
    tags: dict[str, str],
    duration_s: float | None,
    target: Target,
    reserved_bytes: int,
    warnings: Iterable[str],
) -> bool:
    """Queue a failed record again and delete its old jobs. Return False if it has not failed, or is gone.

    The caller creates new jobs in the same transaction. Raises FilenameTaken.
    """
    queue_again = change_of(
        Record.status == RecordStatus.FAILED,
        status=RecordStatus.QUEUED,
        options=asdict(options),
        tags=tags,
        duration_s=duration_s,
        target=asdict(target),
        reserved_bytes=reserved_bytes,
        warnings=_storable(warnings),
        encoder=None,
        error_code=None,
        error_detail=None,
        finished_at=None,
        expires_at=None,
    )
    queued = _take_filename(session, record_id, queue_again)
    if queued:
        session.execute(delete(Job).where(Job.record_id == record_id, CONVERTS))
    return queued


def _take_filename(session: Session, record_id: UUID, changing: Update, **parameters: Any) -> bool:
    """Change a record to a status that holds its filename. Raises FilenameTaken if another record holds it."""
    try:
        with session.begin_nested():
            return apply(session, record_id, changing, **parameters)
    except IntegrityError as error:
        record = session.get_one(Record, record_id)
        holder_id = holder(session, record.user_id, record.filename)
        raise FilenameTaken(record_id=holder_id) from error


def _storable(warnings: Iterable[str]) -> list[str]:
    """Replace characters that PostgreSQL cannot store: a warning may quote any bytes of the file."""
    clean = (warning.replace("\0", "?") for warning in warnings)
    return [warning.encode(errors="replace").decode() for warning in clean]


def reserved_bytes(session: Session) -> int:
    """Return the bytes that the conversions of all unfinished records may still need."""
    return int(session.scalars(_RESERVED_BYTES).one())


def finish(
    session: Session,
    record_id: UUID,
    *,
    mp3_bytes: int,
    duration_s: float,
    retention_h: float | None,
    warnings: Sequence[str],
    has_callback: bool,
) -> bool:
    """Mark a record as done, and add the warnings of its conversion. Return False when it is gone."""
    done = apply(
        session,
        record_id,
        _FINISH,
        new_mp3_bytes=mp3_bytes,
        new_duration_s=duration_s,
        added_warnings=_storable(warnings),
        retention=None if retention_h is None else timedelta(hours=retention_h),
    )
    if done and has_callback:
        announce(session, record_id, Event.DONE)
    return done


def fail(
    session: Session, record_id: UUID, error: Wav2mp3Error, *, retention_h: float | None
) -> bool:
    """Mark a record and its jobs as failed, with the reason for its user. Return False when it is finished or gone."""
    failed = change(
        session,
        record_id,
        Record.status.in_(ACTIVE),
        status=RecordStatus.FAILED,
        error_code=error.code,
        error_detail=error.detail,
        finished_at=func.now(),
        expires_at=_expiry(retention_h),
    )
    if failed:
        session.execute(
            update(Job)
            .where(Job.record_id == record_id, CONVERTS, Job.state.in_(UNFINISHED_JOB))
            .values(state=JobState.FAILED, waiting_for=None)
            .execution_options(synchronize_session=False)
        )
        announce(session, record_id, Event.FAILED)
    return failed


def mark_gone(session: Session, record_id: UUID, status: RecordStatus) -> bool:
    """Mark a record as deleted or expired.

    The row stays (so old links answer 410), the filename becomes free, and any worker converting it loses its lease.
    The deliveries of an expired record continue.
    """
    gone = change(session, record_id, Record.status.not_in(GONE), status=status)
    if gone:
        dropped = CONVERTS if status == RecordStatus.EXPIRED else true()
        session.execute(delete(Job).where(Job.record_id == record_id, dropped))
    return gone


def expire(session: Session, limit: int) -> list[tuple[UUID, UUID]]:
    """Mark records as expired if their retention is over. Return the user id and the id of each."""
    expired = (
        select(Record.user_id, Record.id)
        .where(Record.status.in_(FINISHED), Record.expires_at < func.now())
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    found = [(user_id, record_id) for user_id, record_id in session.execute(expired)]
    for _, record_id in found:
        mark_gone(session, record_id, RecordStatus.EXPIRED)
        announce(session, record_id, Event.EXPIRED)
    return found


def _expiry(retention_h: float | None) -> ColumnElement[Any] | None:
    return None if retention_h is None else from_now(3600 * retention_h)
