"""Idempotency keys: a repeated request gets the answer of the first one.

A request takes its key in the transaction of its work, so both are committed or neither is. A second request at the
same time waits for that transaction. If an upload is aborted, its key disappears with its record.
Functions take the session of a running transaction and do not commit.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or
from sqlalchemy.orm import Session

from shared.db.models import IdempotencyKey, Record, RecordStatus
from shared.db.records import from_now
from shared.errors import KeyReused, RequestInProgress

KEPT_S = 24 * 3600

KeyId = tuple[str, bytes]
"""The owner of a key, and the key's hash."""


def take(session: Session, key_id: KeyId, fingerprint: bytes, salt: bytes) -> IdempotencyKey | None:
    """Take a key for a request. Return None, or the key of the earlier request. Raises KeyReused, RequestInProgress."""
    owner, key_hash = key_id
    new = {"owner": owner, "key_hash": key_hash, "fingerprint": fingerprint, "salt": salt}
    taken = session.execute(
        insert_or(IdempotencyKey)
        .values(**new, expires_at=from_now(KEPT_S))
        .on_conflict_do_nothing()
        .returning(IdempotencyKey.owner)
    )
    if taken.first() is not None:
        return None
    found = find(session, key_id, fingerprint)
    if found is None:  # The other request failed, or its key expired, after the insert.
        raise RequestInProgress(None, 0)
    return found


def find(session: Session, key_id: KeyId, fingerprint: bytes) -> IdempotencyKey | None:
    """Return the key of an earlier request, if there is one. Raises KeyReused, RequestInProgress."""
    found = session.get(IdempotencyKey, key_id)
    if found is None:
        return None
    if found.fingerprint != fingerprint:
        raise KeyReused
    uploading = (Record.id == found.record_id, Record.status == RecordStatus.UPLOADING)
    upload = session.execute(select(Record.id, Record.upload_renewals).where(*uploading)).first()
    if upload is not None:
        raise RequestInProgress(*upload)
    return found


def is_taken(session: Session, key_id: KeyId) -> bool:
    return session.get(IdempotencyKey, key_id) is not None


def store(
    session: Session,
    key_id: KeyId,
    *,
    record_id: UUID | None = None,
    answer: dict[str, Any] | None = None,
) -> None:
    """Add the result of the request that took the key in this transaction."""
    owner, key_hash = key_id
    session.execute(
        update(IdempotencyKey)
        .where(IdempotencyKey.owner == owner, IdempotencyKey.key_hash == key_hash)
        .values(record_id=record_id, answer=answer)
        .execution_options(synchronize_session=False)
    )


def release(session: Session, record_id: UUID) -> None:
    """Free the key of an upload that was not accepted."""
    session.execute(delete(IdempotencyKey).where(IdempotencyKey.record_id == record_id))


def remove_expired(session: Session) -> None:
    session.execute(delete(IdempotencyKey).where(IdempotencyKey.expires_at < func.now()))
