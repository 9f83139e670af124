import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from shared import db
from shared.db import IdempotencyKey
from shared.db.idempotency import KeyId
from shared.errors import KeyReused, RequestInProgress
from tests.shared.db import rows
from tests.shared.db.rows import db_call
from tests.waiting import WITHIN_S

pytestmark = pytest.mark.usefixtures("database")

KEY: KeyId = ("alexander", b"key")


def take(session: Session, fingerprint: bytes = b"request") -> IdempotencyKey | None:
    return db.idempotency.take(session, KEY, fingerprint, b"salt")


def test_the_second_request_gets_the_first_result() -> None:
    record_id, _ = rows.add_record()
    with db.transaction() as session:
        assert take(session) is None
        db.idempotency.store(session, KEY, record_id=record_id)
        second = rows.start(take)
        assert not second.done()
    found = second.result(WITHIN_S)
    assert found is not None
    assert found.record_id == record_id


def test_another_request_with_the_key_is_refused() -> None:
    db_call(take)
    with pytest.raises(KeyReused):
        db_call(take, b"another")


def test_a_failed_request_frees_its_key() -> None:
    with db.transaction() as session:
        take(session)
        second = rows.start(take)
        session.rollback()
    assert second.result(WITHIN_S) is None


def test_an_upload_in_progress_keeps_its_key() -> None:
    with db.transaction() as session:
        record_id = rows.reserve(session, rows.add_user())
        take(session)
        db.idempotency.store(session, KEY, record_id=record_id)
    assert db_call(db.uploads.renew, record_id)
    with pytest.raises(RequestInProgress) as refused:
        db_call(take)
    assert (refused.value.record_id, refused.value.renewals) == (record_id, 1)
    assert db_call(db.uploads.remove_silent, record_id, 1)
    assert db_call(take) is None


def test_a_deleted_upload_frees_its_key() -> None:
    with db.transaction() as session:
        record_id = rows.reserve(session, rows.add_user())
        take(session)
        db.idempotency.store(session, KEY, record_id=record_id)
        db.records.mark_gone(session, record_id, db.RecordStatus.DELETED)
    db_call(db.idempotency.release, record_id)
    assert db_call(take) is None


def test_keys_are_kept_for_a_day() -> None:
    db_call(take)
    aged = text("UPDATE idempotency_keys SET expires_at = expires_at - make_interval(hours => :h)")
    for hours, is_kept in ((23, True), (2, False)):
        with db.transaction() as session:
            session.execute(aged, {"h": hours})
        db_call(db.idempotency.remove_expired)
        assert db_call(db.idempotency.is_taken, KEY) == is_kept
