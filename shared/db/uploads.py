"""Every change of a record before it is accepted.

An upload reserves its filename. The API renews it while bytes arrive. If its renewals stop, a new upload of the same
filename may remove it, and so may the sweeper. Functions do not commit.
"""

from collections.abc import Mapping
from dataclasses import asdict
from uuid import UUID

from sqlalchemy import delete, or_, select, tuple_
from sqlalchemy.dialects.postgresql import insert as insert_or
from sqlalchemy.orm import Session

from shared.db import quotas
from shared.db.models import (
    GONE,
    HOLDS_FILENAME,
    RECORDS,
    UPLOADS_FILENAME,
    Record,
    RecordStatus,
)
from shared.db.records import change, holder, use_async_commit
from shared.errors import FilenameTaken, StillUploading
from shared.mp3_options import Options
from shared.settings import Settings

_INSERT = (
    insert_or(RECORDS)
    .on_conflict_do_nothing(index_elements=["user_id", "filename"], index_where=UPLOADS_FILENAME)
    .returning(RECORDS.c.id)
)


def reserve(
    session: Session,
    user_id: UUID,
    filename: str,
    options: Options,
    tags: dict[str, str],
    settings: Settings,
    *,
    announced_bytes: int = 0,
    replaces: bool = False,
    callback: tuple[str, str] | None = None,
) -> UUID:
    """Create the record of an upload. While it is uploading, no other upload of the user can have its filename.

    Another record may hold the filename only if `replaces`: `records.replace` deletes that record later. Until the
    upload is accepted, `announced_bytes` count as stored. `callback` is the callback URL, and the base of the links
    sent to it. Raises FilenameTaken, StillUploading, and the errors of `quotas`.
    """
    callback_url, callback_base_url = callback or (None, None)
    quotas.lock_pending(session, user_id, settings)
    record_id = _insert(
        session,
        user_id=user_id,
        filename=filename,
        options=asdict(options),
        tags=tags,
        reserved_bytes=announced_bytes,
        callback_url=callback_url,
        callback_base_url=callback_base_url,
    )
    # After the insert, which waits for an upload that is being accepted.
    holder_id = holder(session, user_id, filename)
    if holder_id is not None and not replaces:
        raise FilenameTaken(record_id=holder_id)
    if record_id is None:
        check_not_uploading(session, user_id, filename)
        raise StillUploading(None, 0)  # that upload ended just now
    quotas.check_pending(session, user_id, settings)
    quotas.check_stored(session, user_id, settings, record_id=record_id)
    return record_id


def _insert(session: Session, **values: object) -> UUID | None:
    """Insert a record that is uploading. Return None if the filename is being uploaded already."""
    record_id: UUID | None = session.scalar(_INSERT, values)
    return record_id


def check_not_uploading(session: Session, user_id: UUID, filename: str) -> None:
    """Check that no upload of this filename is running. Raises StillUploading."""
    named = (Record.user_id == user_id, Record.filename == filename)
    upload = select(Record.id, Record.upload_renewals).where(*named, UPLOADS_FILENAME)
    if found := session.execute(upload).first():
        raise StillUploading(*found)


def filenames(session: Session, user_id: UUID, start: str) -> set[str]:
    """Return the filenames that start with `start` and that an upload of the user cannot have."""
    held = select(Record.filename).where(
        Record.user_id == user_id,
        Record.filename.startswith(start, autoescape=True),
        or_(HOLDS_FILENAME, UPLOADS_FILENAME),
    )
    return set(session.scalars(held))


def renew(session: Session, record_id: UUID) -> bool:
    """Renew the API's lease on an upload. Return False when the record is gone."""
    use_async_commit(session)
    uploading = Record.status == RecordStatus.UPLOADING
    return change(session, record_id, uploading, upload_renewals=Record.upload_renewals + 1)


def remove_silent(session: Session, record_id: UUID, renewals: int) -> bool:
    """Remove an upload that was not renewed since it had `renewals`. Return False if it was renewed, or has ended."""
    silent = (Record.status == RecordStatus.UPLOADING, Record.upload_renewals == renewals)
    removed = session.scalar(
        delete(Record).where(Record.id == record_id, *silent).returning(Record.id)
    )
    return removed is not None


def abort(session: Session, record_id: UUID) -> bool:
    """Remove an incomplete upload and free its filename. Return False if it was accepted in the meantime."""
    this = Record.id == record_id
    session.execute(delete(Record).where(this, Record.status == RecordStatus.UPLOADING))
    return session.scalar(select(Record.id).where(this, Record.status.not_in(GONE))) is None


def leases(session: Session) -> dict[UUID, int]:
    """Return the renewals of each running upload."""
    uploading = Record.status == RecordStatus.UPLOADING
    rows = session.execute(select(Record.id, Record.upload_renewals).where(uploading))
    return dict(rows.all())


def remove_abandoned(session: Session, expired: Mapping[UUID, int]) -> list[tuple[UUID, UUID]]:
    """Remove uploads whose renewals are still those in `expired`. Return the user id and the id of each."""
    if not expired:
        return []
    abandoned = (
        select(Record.id)
        .where(
            Record.status == RecordStatus.UPLOADING,
            tuple_(Record.id, Record.upload_renewals).in_(list(expired.items())),
        )
        .with_for_update(skip_locked=True)
    )
    removed = delete(Record).where(Record.id.in_(abandoned)).returning(Record.user_id, Record.id)
    return [(user_id, record_id) for user_id, record_id in session.execute(removed)]
