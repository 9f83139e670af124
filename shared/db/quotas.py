"""Limits on unfinished records and on stored bytes, for one user and for all users together.

The limits are exact, also when uploads race. A transaction that adds to a limited sum first locks it, then makes its
change, and then checks the sum. Uploads of different users wait for each other only if the sum of all users is limited.
"""

from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, case, func, or_, select
from sqlalchemy.orm import Session

from shared.db.locks import lock_user
from shared.db.models import ACTIVE, GONE, PENDING, Record, RecordStatus
from shared.errors import (
    ServiceStorageBusy,
    ServiceStorageFull,
    TooManyPending,
    TooManyPendingInAll,
    UserStorageBusy,
    UserStorageFull,
)
from shared.mp3_options import PADDING_BYTES
from shared.settings import Settings

ALL_USERS = 0x77617632
"""The advisory lock on the sums of all users."""


class Usage(NamedTuple):
    stored_bytes: int
    pending_records: int


def lock_pending(session: Session, user_id: UUID, settings: Settings) -> None:
    """Lock the sums before an upload is added or a record is converted again."""
    limits_all = (settings.max_pending_records_in_all, settings.max_stored_bytes_in_all)
    _lock(session, user_id, with_all=limits_all != (None, None))


def lock_stored(session: Session, user_id: UUID, settings: Settings) -> None:
    """Lock the stored bytes, if they are limited, before an upload is accepted."""
    with_all = settings.max_stored_bytes_in_all is not None
    if with_all or settings.max_stored_bytes is not None:
        _lock(session, user_id, with_all=with_all)


def _lock(session: Session, user_id: UUID, *, with_all: bool) -> None:
    lock_user(session, user_id)
    if with_all:
        session.execute(select(func.pg_advisory_xact_lock(ALL_USERS)))


def check_pending(session: Session, user_id: UUID, settings: Settings) -> None:
    """Check the number of unfinished records. Raises TooManyPending, TooManyPendingInAll."""
    if _pending_records(session, Record.user_id == user_id) > settings.max_pending_records:
        raise TooManyPending
    limit_of_all = settings.max_pending_records_in_all
    if limit_of_all is not None and _pending_records(session) > limit_of_all:
        raise TooManyPendingInAll


def check_stored(
    session: Session,
    user_id: UUID,
    settings: Settings,
    added_bytes: int = 0,
    *,
    record_id: UUID | None = None,
) -> None:
    """Check the stored bytes after a change. It adds `record_id`, or an upload of `added_bytes` without a row.

    Raises UserStorageFull, ServiceStorageFull.
    """
    of_user = Record.user_id == user_id
    limit, limit_of_all = settings.max_stored_bytes, settings.max_stored_bytes_in_all
    # Without the other unfinished records, which need less once they are finished.
    lasting = or_(Record.status.not_in(PENDING), Record.id == record_id)
    if limit is not None and _stored_bytes(session, of_user) + added_bytes > limit:
        used_bytes = _stored_bytes(session, of_user, Record.id != record_id)
        is_busy = _stored_bytes(session, of_user, lasting) + added_bytes <= limit
        raise (UserStorageBusy if is_busy else UserStorageFull)(used_bytes, limit)
    if limit_of_all is not None and _stored_bytes(session) + added_bytes > limit_of_all:
        is_busy = _stored_bytes(session, lasting) + added_bytes <= limit_of_all
        raise ServiceStorageBusy if is_busy else ServiceStorageFull


def usage(session: Session, user_id: UUID) -> Usage:
    """Return the stored bytes and the number of unfinished records of a user."""
    of_user = Record.user_id == user_id
    return Usage(_stored_bytes(session, of_user), _pending_records(session, of_user))


def _pending_records(session: Session, *of_records: ColumnElement[bool]) -> int:
    pending = select(func.count()).where(Record.status.in_(PENDING), *of_records)
    return session.scalars(pending).one()


def _stored_bytes(session: Session, *of_records: ColumnElement[bool]) -> int:
    # An MP3 may be 40 times as large as its source, so it counts before it exists. The parts have the other half.
    expected_mp3_bytes = Record.reserved_bytes // 2 - PADDING_BYTES
    file_bytes = case(
        (Record.status == RecordStatus.UPLOADING, Record.reserved_bytes),
        (Record.status == RecordStatus.DONE, Record.mp3_bytes),  # the source is deleted
        (Record.status.in_(ACTIVE), func.greatest(Record.source_bytes, expected_mp3_bytes)),
        else_=Record.source_bytes,
    )
    total = select(func.coalesce(func.sum(file_bytes), 0))
    return int(session.scalars(total.where(Record.status.not_in(GONE), *of_records)).one())
