"""A record's states: each change, and the loser of each race."""

from collections.abc import Callable
from uuid import UUID

import psycopg2
import pytest
from psycopg2.extensions import ISOLATION_LEVEL_AUTOCOMMIT
from sqlalchemy import make_url
from sqlalchemy.orm import Session

from shared import db
from shared.db import Job, JobKind, JobState, Record, RecordStatus
from shared.errors import FilenameTaken
from tests.shared.db import rows
from tests.shared.db.rows import MAX_ATTEMPTS, db_call
from tests.waiting import WITHIN_S

pytestmark = pytest.mark.usefixtures("database")

LIMIT = 10


def test_a_taken_filename_names_its_record() -> None:
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


def test_two_users_may_use_one_filename() -> None:
    assert db_call(rows.reserve, rows.add_user()) != db_call(rows.reserve, rows.add_user())


def test_one_of_two_concurrent_uploads_wins() -> None:
    user_id = rows.add_user()
    with db.transaction() as session:
        record_id = rows.reserve(session, user_id)
        second = rows.start(lambda other: rows.reserve(other, user_id))
    with pytest.raises(FilenameTaken) as refused:
        second.result(WITHIN_S)
    assert refused.value.record_id == record_id


def test_the_second_upload_wins_after_a_rollback() -> None:
    user_id = rows.add_user()
    with db.transaction() as session:
        record_id = rows.reserve(session, user_id)
        second = rows.start(lambda other: rows.reserve(other, user_id))
        assert not second.done()
        session.rollback()
    assert second.result(WITHIN_S) != record_id


def test_warnings_may_quote_any_characters() -> None:
    record_id = rows.add_encoded()
    held = rows.claim_assembly(record_id)
    assert db_call(rows.complete, held, None, ["The LIST\0\ud800 chunk was left out."])
    assert rows.record(record_id).warnings == ["The LIST?? chunk was left out."]


@pytest.mark.parametrize("status", [RecordStatus.DELETED, RecordStatus.EXPIRED])
def test_a_gone_record_frees_its_filename(status: RecordStatus) -> None:
    user_id = rows.add_user()
    record_id = db_call(rows.reserve, user_id)
    assert db_call(db.records.mark_gone, record_id, status)
    assert db_call(rows.reserve, user_id) != record_id


def test_a_failed_record_frees_its_filename() -> None:
    user_id = rows.add_user()
    record_id, _ = rows.add_record(user_id=user_id)
    assert db_call(rows.fail, record_id)
    assert db_call(rows.reserve, user_id) != record_id


def test_a_retry_starts_a_record_afresh() -> None:
    record_id, old_jobs = rows.add_record()
    rows.claim(old_jobs[0])
    assert db_call(rows.fail, record_id, 1)
    assert db_call(rows.retry, record_id)
    record = rows.record(record_id)
    assert record.status == RecordStatus.QUEUED
    assert (record.encoder, record.error_code, record.error_detail) == (None, None, None)
    assert (record.finished_at, record.expires_at) == (None, None)
    assert db_call(rows.encode_jobs, record_id) == []


def test_only_failed_records_can_be_retried() -> None:
    queued, _ = rows.add_record()
    for record_id in (queued, rows.add_done()):
        assert not db_call(rows.retry, record_id)
        db_call(db.records.mark_gone, record_id, RecordStatus.DELETED)
        assert not db_call(rows.retry, record_id)


def test_one_of_two_concurrent_retries_wins() -> None:
    record_id, _ = rows.add_record()
    db_call(rows.fail, record_id)
    first, second = rows.overlapped(
        lambda session: rows.retry(session, record_id),
        lambda session: rows.retry(session, record_id),
    )
    assert (first, second) == (True, False)


def test_a_retry_and_an_upload_cannot_share_a_filename() -> None:
    user_id = rows.add_user()
    failed, _ = rows.add_record(user_id=user_id)
    db_call(rows.fail, failed)
    upload = db_call(rows.reserve, user_id)
    with db.transaction() as session:
        assert rows.retry(session, failed)
        accepting = rows.start(lambda other: rows.accept(other, upload))
    with pytest.raises(FilenameTaken) as refused:
        accepting.result(WITHIN_S)
    assert refused.value.record_id == failed


def test_a_record_that_took_the_filename_refuses_a_retry() -> None:
    user_id = rows.add_user()
    failed, _ = rows.add_record(user_id=user_id)
    db_call(rows.fail, failed)
    holder, _ = rows.add_record(user_id=user_id)
    with pytest.raises(FilenameTaken) as refused:
        db_call(rows.retry, failed)
    assert refused.value.record_id == holder
    assert rows.record(failed).status == RecordStatus.FAILED


def test_an_aborted_upload_frees_its_filename() -> None:
    user_id = rows.add_user()
    record_id = db_call(rows.reserve, user_id)
    assert db_call(db.uploads.abort, record_id)
    db_call(rows.reserve, user_id)
    with db.transaction() as session:
        assert session.get(Record, record_id) is None


def test_an_accepted_record_has_its_jobs_in_order() -> None:
    record_id, job_ids = rows.add_record(3)
    assert rows.record(record_id).status == RecordStatus.QUEUED
    found = [rows.job(job_id) for job_id in job_ids]
    assert [job.index for job in found] == [0, 1, 2]
    assert [job.start_sample for job in found] == [0, rows.SAMPLES, 2 * rows.SAMPLES]
    assert [job.state for job in found] == [JobState.READY, JobState.READY, JobState.HELD]
    assert rows.job(rows.assemble_job(record_id)).state == JobState.HELD


@pytest.mark.parametrize("move", ["accept", "delete", "abort"])
def test_a_finished_upload_is_neither_accepted_nor_renewed(move: str) -> None:
    record_id = db_call(rows.reserve, rows.add_user())
    over: dict[str, Callable[[Session], object]] = {
        "accept": lambda session: rows.accept(session, record_id),
        "delete": lambda session: db.records.mark_gone(session, record_id, RecordStatus.DELETED),
        "abort": lambda session: db.uploads.abort(session, record_id),
    }
    assert db_call(db.uploads.renew, record_id)
    db_call(over[move])
    before = _jobs()
    assert not db_call(db.uploads.renew, record_id)
    assert db_call(rows.accept, record_id) == []
    assert _jobs() == before


def test_an_accepted_upload_is_not_aborted() -> None:
    record_id, _ = rows.add_record()
    assert not db_call(db.uploads.abort, record_id)
    assert rows.record(record_id).status == RecordStatus.QUEUED


def test_a_deleted_upload_counts_as_aborted() -> None:
    record_id = db_call(rows.reserve, rows.add_user())
    db_call(db.records.mark_gone, record_id, RecordStatus.DELETED)
    assert db_call(db.uploads.abort, record_id)
    assert rows.record(record_id).status == RecordStatus.DELETED


def test_a_done_record_expires_after_its_retention() -> None:
    kept, expiring = rows.record(rows.add_done()), rows.record(rows.add_done(retention_h=2))
    assert kept.status == RecordStatus.DONE
    assert kept.expires_at is None
    assert expiring.expires_at is not None
    assert expiring.finished_at is not None
    assert (expiring.expires_at - expiring.finished_at).total_seconds() == 2 * 3600


def test_a_failed_record_stops_its_jobs() -> None:
    record_id, (done, encoding, queued) = rows.add_record(3)
    db_call(rows.finish, rows.claim(done))
    held = rows.claim(encoding)
    assert db_call(rows.fail, record_id)
    assert rows.record(record_id).status == RecordStatus.FAILED
    assert rows.record(record_id).error_code == "encode_failed"
    assert not db_call(rows.renew, held)
    assert not db_call(rows.finish, held)
    assert db_call(rows.try_claim, queued) is None


@pytest.mark.parametrize("over", ["done", "deleted"])
def test_a_finished_record_does_not_fail(over: str) -> None:
    record_id = rows.add_done()
    if over == "deleted":
        db_call(db.records.mark_gone, record_id, RecordStatus.DELETED)
    assert not db_call(rows.fail, record_id)
    assert rows.record(record_id).status == over
    assert rows.record(record_id).error_code is None


def test_deleting_a_record_ends_its_leases() -> None:
    record_id, (encoding, waiting) = rows.add_record(2)
    held = rows.claim(encoding)
    assert db_call(rows.renew, held)
    assert db_call(db.records.mark_gone, record_id, RecordStatus.DELETED)
    assert not db_call(rows.renew, held)
    assert not db_call(rows.finish, held)
    assert not db_call(db.jobs.requeue, held)
    assert db_call(rows.try_claim, waiting) is None
    assert not db_call(db.records.mark_gone, record_id, RecordStatus.EXPIRED)


def test_a_delete_and_a_claim_do_not_deadlock() -> None:
    record_id, (job_id,) = rows.add_record()
    with db.transaction() as session:
        db.records.change(session, record_id, warnings=[])
        claimed = rows.start(lambda other: rows.try_claim(other, job_id))
        assert not claimed.done()
        assert db.records.mark_gone(session, record_id, RecordStatus.DELETED)
    assert claimed.result(WITHIN_S) is None


def test_a_commit_notifies_waiting_clients(
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
    listener.cursor().execute("SELECT 1")  # the server sends its notifications before the answer
    heard = [notification.payload for notification in listener.notifies]
    listener.notifies.clear()
    return heard


def _jobs() -> int:
    with db.transaction() as session:
        return session.query(Job).count()


def _convert(session: Session, record_id: UUID) -> None:
    (job_id,) = rows.encode_jobs(session, record_id)
    held = rows.try_claim(session, job_id)
    assert held is not None
    assert rows.finish(session, held)


def _finish(session: Session, record_id: UUID) -> None:
    job_id = session.query(Job.id).filter_by(record_id=record_id, kind=JobKind.ASSEMBLE).scalar()
    held = rows.try_claim(session, job_id)
    assert held is not None
    assert rows.complete(session, held)


def _exhausted() -> list[UUID]:
    found = db_call(db.sweeping.exhausted, MAX_ATTEMPTS, LIMIT)
    return [record.id for record in found]


def test_a_record_is_exhausted_after_the_last_attempt() -> None:
    record_id, (job_id, _) = rows.add_record(2)
    for _ in range(MAX_ATTEMPTS):
        assert _exhausted() == []
        rows.claim(job_id)
        assert _exhausted() == []
        rows.expire_leases()
    assert _exhausted() == [record_id]
    db_call(rows.fail, record_id)
    assert _exhausted() == []


def test_a_record_is_exhausted_after_the_last_assembly() -> None:
    record_id = rows.add_encoded()
    for _ in range(MAX_ATTEMPTS):
        assert _exhausted() == []
        rows.claim_assembly(record_id)
        rows.expire_leases()
    assert _exhausted() == [record_id]


def test_an_abandoned_upload_is_removed() -> None:
    user_id = rows.add_user()
    abandoned = db_call(rows.reserve, user_id, "a.wav")
    alive = db_call(rows.reserve, user_id, "b.wav")
    accepted, _ = rows.add_record()
    seen = db_call(db.uploads.leases)
    assert set(seen) == {abandoned, alive}
    assert db_call(db.uploads.renew, alive)
    assert db_call(db.uploads.remove_abandoned, seen) == [(user_id, abandoned)]
    with db.transaction() as session:
        assert {record.id for record in session.query(Record)} == {alive, accepted}


def test_an_upload_accepted_now_is_not_removed() -> None:
    user_id = rows.add_user()
    record_id = db_call(rows.reserve, user_id)
    seen = db_call(db.uploads.leases)
    with db.transaction() as session:
        assert rows.accept(session, record_id)
        removed = rows.start(lambda other: db.uploads.remove_abandoned(other, seen))
        assert removed.result() == []
    assert rows.record(record_id).status == RecordStatus.QUEUED


def test_records_expire_once_after_their_retention() -> None:
    kept, young, old = rows.add_done(), rows.add_done(retention_h=1), rows.add_done(retention_h=-1)
    failed, _ = rows.add_record()
    db_call(rows.fail, failed, -1)
    expired = db_call(db.records.expire, LIMIT)
    assert {record_id for _, record_id in expired} == {old, failed}
    assert rows.record(old).status == rows.record(failed).status == RecordStatus.EXPIRED
    assert rows.record(kept).status == rows.record(young).status == RecordStatus.DONE
    assert db_call(db.records.expire, LIMIT) == []
