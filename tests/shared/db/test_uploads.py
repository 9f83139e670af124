from uuid import UUID

import pytest
from sqlalchemy.orm import Session

from shared import db
from shared.db import RecordStatus
from shared.errors import FilenameTaken, StillUploading
from shared.mp3_options import Options
from shared.settings import get_settings
from tests.shared.db import rows
from tests.shared.db.rows import db_call
from tests.waiting import WITHIN_S

pytestmark = pytest.mark.usefixtures("database")


def test_an_upload_blocks_its_filename_for_others() -> None:
    user_id = rows.add_user()
    first = db_call(rows.reserve, user_id)
    with pytest.raises(StillUploading) as refused:
        db_call(rows.reserve, user_id)
    assert (refused.value.record_id, refused.value.renewals) == (first, 0)
    db_call(rows.accept, first)
    with pytest.raises(FilenameTaken) as taken:
        db_call(rows.reserve, user_id)
    assert type(taken.value) is FilenameTaken


def test_an_upload_accepted_now_keeps_its_filename() -> None:
    user_id = rows.add_user()
    first = db_call(rows.reserve, user_id)
    with db.transaction() as session:
        rows.accept(session, first)
        second = rows.start(lambda other: rows.reserve(other, user_id))
    with pytest.raises(FilenameTaken) as taken:
        second.result(WITHIN_S)
    assert taken.value.record_id == first
    assert type(taken.value) is FilenameTaken


def test_only_a_silent_upload_is_removed() -> None:
    record_id = db_call(rows.reserve, rows.add_user())
    assert db_call(db.uploads.renew, record_id)
    assert not db_call(db.uploads.remove_silent, record_id, 0)
    assert db_call(db.uploads.remove_silent, record_id, 1)
    assert not db_call(db.uploads.renew, record_id)
    assert db_call(rows.accept, record_id) == []


def test_an_upload_accepted_now_is_not_taken_over() -> None:
    record_id = db_call(rows.reserve, rows.add_user())
    with db.transaction() as session:
        rows.accept(session, record_id)
        removed = rows.start(lambda other: db.uploads.remove_silent(other, record_id, 0))
    assert not removed.result(WITHIN_S)
    assert rows.record(record_id).status == RecordStatus.QUEUED


def test_a_replacing_upload_waits_for_its_acceptance() -> None:
    user_id = rows.add_user()
    old, _ = rows.add_record(user_id=user_id)
    new = db_call(_reserve_replacing, user_id)
    assert rows.record(old).status == RecordStatus.QUEUED
    with pytest.raises(StillUploading):
        db_call(_reserve_replacing, user_id)
    with db.transaction() as session:
        assert db.records.replace(session, user_id, "a.wav") == old
        assert rows.accept(session, new)
    assert rows.record(old).status == RecordStatus.DELETED
    assert rows.record(new).status == RecordStatus.QUEUED


def test_an_upload_without_a_holder_replaces_nothing() -> None:
    user_id = rows.add_user()
    failed, _ = rows.add_record(user_id=user_id)
    db_call(rows.fail, failed)
    assert db_call(db.records.replace, user_id, "a.wav") is None
    assert rows.record(failed).status == RecordStatus.FAILED


def test_filenames_lists_only_used_names() -> None:
    user_id = rows.add_user()
    db_call(rows.reserve, user_id, "a%.wav")
    rows.add_record(user_id=user_id, filename="a% (2).wav")
    failed, _ = rows.add_record(user_id=user_id, filename="a% (3).wav")
    db_call(rows.fail, failed)
    rows.add_record(user_id=user_id, filename="ab.wav")
    rows.add_record(filename="a% (4).wav")
    assert db_call(db.uploads.filenames, user_id, "a%") == {"a%.wav", "a% (2).wav"}


def _reserve_replacing(session: Session, user_id: UUID) -> UUID:
    return db.uploads.reserve(
        session, user_id, "a.wav", Options(), {}, get_settings(), replaces=True
    )
