"""A record's states: every way from one to another, and who loses a race."""

from collections.abc import Callable
from uuid import UUID

import psycopg2
import pytest
from psycopg2.extensions import ISOLATION_LEVEL_AUTOCOMMIT
from sqlalchemy import make_url
from sqlalchemy.orm import Session

from shared import db
from shared.db import Record, RecordStatus, Segment, SegmentState
from shared.errors import FilenameTaken, TooManyPending
from shared.mp3_options import Options
from tests.shared.db import rows
from tests.shared.db.rows import LEASE_S, OVER_S, db_call

pytestmark = pytest.mark.usefixtures("database")


def test_a_filename_is_taken_while_its_record_is_there_and_the_error_names_it() -> None:
    user_id = rows.add_user()
    record_id = db_call(rows.reserve, user_id)
    for move in (rows.accept, _convert, _finish):
        with pytest.raises(FilenameTaken) as refused:
            db_call(rows.reserve, user_id)
        assert refused.value.record_id == record_id
        db_call(move, record_id)
    assert rows.record(record_id).status == RecordStatus.DONE
    with pytest.raises(FilenameTaken):
        db_call(rows.reserve, user_id)


def test_another_users_record_may_have_the_same_filename() -> None:
    assert db_call(rows.reserve, rows.add_user()) != db_call(rows.reserve, rows.add_user())


def test_of_two_uploads_of_a_name_at_once_exactly_one_wins() -> None:
    user_id = rows.add_user()
    with db.transaction() as session:
        record_id = rows.reserve(session, user_id)
        second = rows.start(lambda other: rows.reserve(other, user_id))
    with pytest.raises(FilenameTaken) as refused:
        second.result(rows.WAIT_S)
    assert refused.value.record_id == record_id


def test_the_second_upload_of_a_name_wins_when_the_first_is_not_committed() -> None:
    user_id = rows.add_user()
    with db.transaction() as session:
        record_id = rows.reserve(session, user_id)
        second = rows.start(lambda other: rows.reserve(other, user_id))
        assert not second.done()
        session.rollback()
    assert second.result(rows.WAIT_S) != record_id


@pytest.mark.parametrize("status", [RecordStatus.DELETED, RecordStatus.EXPIRED])
def test_a_filename_is_free_again_when_its_record_is_gone(status: RecordStatus) -> None:
    user_id = rows.add_user()
    record_id = db_call(rows.reserve, user_id)
    assert db_call(db.records.bury, record_id, status)
    assert db_call(rows.reserve, user_id) != record_id


def test_a_filename_is_free_again_when_its_record_has_failed() -> None:
    user_id = rows.add_user()
    record_id, _ = rows.add_record(user_id=user_id)
    assert db_call(rows.fail, record_id)
    assert db_call(rows.reserve, user_id) != record_id


def test_a_filename_is_free_again_when_its_upload_broke_off() -> None:
    user_id = rows.add_user()
    record_id = db_call(rows.reserve, user_id)
    assert db_call(db.records.release, record_id)
    db_call(rows.reserve, user_id)
    with db.transaction() as session:
        assert session.get(Record, record_id) is None


def test_a_user_may_have_only_so_many_records_pending() -> None:
    user_id = rows.add_user()

    def reserve(session: Session, name: str) -> UUID:
        return db.records.reserve(
            session, user_id, name, Options(), {}, max_pending=2, lease_s=LEASE_S
        )

    done, failed = db_call(reserve, "done"), db_call(reserve, "failed")
    db_call(rows.accept, failed)
    with pytest.raises(TooManyPending):
        db_call(reserve, "one more")
    db_call(rows.fail, failed)
    db_call(rows.accept, done)
    db_call(_convert, done)
    db_call(_finish, done)
    db_call(reserve, "one more")


def test_an_accepted_record_waits_with_its_segments_in_order() -> None:
    record_id, segment_ids = rows.add_record(3)
    assert rows.record(record_id).status == RecordStatus.QUEUED
    assert rows.record(record_id).lease_until is None
    found = [rows.segment(segment_id) for segment_id in segment_ids]
    assert [segment.index for segment in found] == [0, 1, 2]
    assert [segment.start_sample for segment in found] == [0, rows.SAMPLES, 2 * rows.SAMPLES]
    assert {segment.state for segment in found} == {SegmentState.QUEUED}


@pytest.mark.parametrize("move", ["accept", "bury", "release"])
def test_an_upload_that_is_over_is_neither_accepted_nor_renewed(move: str) -> None:
    record_id = db_call(rows.reserve, rows.add_user())
    over: dict[str, Callable[[Session], object]] = {
        "accept": lambda session: rows.accept(session, record_id),
        "bury": lambda session: db.records.bury(session, record_id, RecordStatus.DELETED),
        "release": lambda session: db.records.release(session, record_id),
    }
    assert db_call(db.records.keep_uploading, record_id, LEASE_S)
    db_call(over[move])
    before = _segments()
    assert not db_call(db.records.keep_uploading, record_id, LEASE_S)
    assert db_call(rows.accept, record_id) == []
    assert _segments() == before


def test_a_record_that_was_accepted_is_not_released() -> None:
    record_id, _ = rows.add_record()
    assert not db_call(db.records.release, record_id)
    assert rows.record(record_id).status == RecordStatus.QUEUED


def test_an_upload_that_was_deleted_meanwhile_counts_as_released() -> None:
    record_id = db_call(rows.reserve, rows.add_user())
    db_call(db.records.bury, record_id, RecordStatus.DELETED)
    assert db_call(db.records.release, record_id)
    assert rows.record(record_id).status == RecordStatus.DELETED


def test_a_record_is_assembled_only_when_all_segments_are_done() -> None:
    record_id, (first, second) = rows.add_record(2)
    assert db_call(rows.try_claim_assembly, record_id) is None
    db_call(rows.finish, rows.claim(first))
    held = rows.claim(second)
    assert db_call(rows.try_claim_assembly, record_id) is None
    db_call(rows.finish, held)
    assert rows.claim_assembly(record_id).attempt == 1


def test_of_two_that_would_assemble_a_record_at_once_exactly_one_may() -> None:
    record_id = rows.add_encoded()
    first, second = rows.overlapped(
        lambda session: rows.try_claim_assembly(session, record_id),
        lambda session: rows.try_claim_assembly(session, record_id),
    )
    assert first is not None
    assert second is None


def test_an_assembler_that_lost_its_lease_changes_nothing() -> None:
    record_id = rows.add_encoded()
    zombie = rows.claim_assembly(record_id, lease_s=OVER_S)
    holder = rows.claim_assembly(record_id)
    assert holder.attempt == zombie.attempt + 1
    assert not db_call(db.assemblies.renew, zombie, LEASE_S)
    assert not db_call(rows.complete, zombie)
    assert not db_call(db.assemblies.give_back, zombie)
    assert db_call(db.assemblies.renew, holder, LEASE_S)
    assert db_call(rows.complete, holder)
    assert not db_call(rows.complete, holder)


def test_assembling_is_tried_only_so_often() -> None:
    record_id = rows.add_encoded()
    for _ in range(rows.MAX_ATTEMPTS):
        assert db_call(db.assemblies.give_back, rows.claim_assembly(record_id))
    assert db_call(rows.try_claim_assembly, record_id) is None


def test_a_done_record_has_no_lease_and_expires_when_it_should() -> None:
    kept, expiring = rows.record(rows.add_done()), rows.record(rows.add_done(retention_h=2))
    assert kept.status == RecordStatus.DONE
    assert kept.lease_until is None
    assert kept.expires_at is None
    assert expiring.expires_at is not None
    assert expiring.finished_at is not None
    assert (expiring.expires_at - expiring.finished_at).total_seconds() == 2 * 3600


def test_a_failed_record_has_a_reason_and_nothing_of_it_is_worked_on() -> None:
    record_id, (done, encoding, queued) = rows.add_record(3)
    db_call(rows.finish, rows.claim(done))
    held = rows.claim(encoding)
    assert db_call(rows.fail, record_id)
    assert rows.record(record_id).status == RecordStatus.FAILED
    assert rows.record(record_id).error_code == "encode_failed"
    assert not db_call(rows.renew, held)
    assert db_call(rows.finish, held) is None
    assert db_call(rows.try_claim, queued) is None


@pytest.mark.parametrize("over", ["done", "deleted"])
def test_a_record_that_is_over_does_not_fail(over: str) -> None:
    record_id = rows.add_done()
    if over == "deleted":
        db_call(db.records.bury, record_id, RecordStatus.DELETED)
    assert not db_call(rows.fail, record_id)
    assert rows.record(record_id).status == over
    assert rows.record(record_id).error_code is None


def test_whoever_converts_a_deleted_record_loses_it() -> None:
    record_id, (encoding, waiting) = rows.add_record(2)
    held = rows.claim(encoding)
    assert db_call(rows.renew, held)
    assert db_call(db.records.bury, record_id, RecordStatus.DELETED)
    assert not db_call(rows.renew, held)
    assert db_call(rows.finish, held) is None
    assert not db_call(db.segments.give_back, held)
    assert db_call(rows.try_claim, waiting) is None
    assert not db_call(db.records.bury, record_id, RecordStatus.EXPIRED)


def test_deleting_a_record_and_claiming_its_segment_at_once_do_not_block_each_other() -> None:
    record_id, (segment_id,) = rows.add_record()
    with db.transaction() as session:
        db.records.change(session, record_id, lease_until=None)
        claimed = rows.start(lambda other: rows.try_claim(other, segment_id))
        assert not claimed.done()
        assert db.records.bury(session, record_id, RecordStatus.DELETED)
    assert claimed.result(rows.WAIT_S) is None


def test_whoever_waits_for_a_record_hears_of_a_change_when_it_is_committed(
    database_url: str,
) -> None:
    record_id, _ = rows.add_record()
    listener = psycopg2.connect(
        make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    )
    listener.set_isolation_level(ISOLATION_LEVEL_AUTOCOMMIT)
    listener.cursor().execute(f"LISTEN {db.records.CHANGES}")
    with db.transaction() as session:
        rows.fail(session, record_id)
        assert _heard(listener) == []
    assert _heard(listener) == [str(record_id)]
    listener.close()


def _heard(listener: psycopg2.extensions.connection) -> list[str]:
    listener.cursor().execute("SELECT 1")  # the server sends what it has before it answers
    heard = [notification.payload for notification in listener.notifies]
    listener.notifies.clear()
    return heard


def _segments() -> int:
    with db.transaction() as session:
        return session.query(Segment).count()


def _convert(session: Session, record_id: UUID) -> None:
    segment_id = session.query(Segment.id).filter_by(record_id=record_id).scalar()
    held = rows.try_claim(session, segment_id)
    assert held is not None
    assert rows.finish(session, held) is not None


def _finish(session: Session, record_id: UUID) -> None:
    held = rows.try_claim_assembly(session, record_id)
    assert held is not None
    assert rows.complete(session, held)
