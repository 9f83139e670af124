"""The rows of webhooks: deliveries, committed with the change that they report, and secrets."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select, text, update

from shared import db
from shared.db import Delivery, Event, Job, JobKind, JobState, Record, RecordStatus, User
from shared.db.deliveries import DeliveryClaim
from tests.shared.db import rows
from tests.shared.db.rows import db_call

pytestmark = pytest.mark.usefixtures("database")

URL = "https://receiver.example/hook"


def _add_encoded() -> UUID:
    record_id = rows.add_encoded()
    rows.set_callback(record_id, URL)
    return record_id


def _add_done() -> UUID:
    record_id = _add_encoded()
    assert db_call(rows.complete, rows.claim_assembly(record_id))
    return record_id


def _expire(record_id: UUID) -> None:
    with db.transaction() as session:
        past = func.now() - timedelta(hours=1)
        session.execute(update(Record).where(Record.id == record_id).values(expires_at=past))
        assert db.records.expire(session, 10)


def _deliveries(record_id: UUID) -> list[tuple[str, str, str]]:
    """Return the event, the job's state, and the record's status at the event."""
    with db.transaction() as session:
        found = session.execute(
            select(Delivery.event, Job.state, Delivery.record["status"].astext)
            .join(Job)
            .where(Job.record_id == record_id, Job.kind == JobKind.DELIVER)
            .order_by(Job.index)
        )
        return [tuple(row) for row in found]


def _claim(record_id: UUID) -> DeliveryClaim:
    with db.transaction() as session:
        (job_id,) = db.deliveries.due(session, record_id)
        held = db.deliveries.claim(session, job_id)
    assert held is not None
    return held


def _fail(held: DeliveryClaim, pause_s: float | None = 0) -> bool:
    with db.transaction() as session:
        return db.deliveries.mark_failed(session, held, status=500, error="No.", pause_s=pause_s)


def _deliver(held: DeliveryClaim) -> bool:
    with db.transaction() as session:
        return db.deliveries.mark_delivered(session, held, status=204)


def test_a_record_without_a_callback_has_no_deliveries() -> None:
    assert _deliveries(rows.add_done()) == []


def test_each_end_of_a_conversion_is_announced() -> None:
    done, failed = _add_done(), _add_encoded()
    db_call(rows.fail, failed)
    assert _deliveries(done) == [(Event.DONE, JobState.READY, "done")]
    assert _deliveries(failed) == [(Event.FAILED, JobState.READY, "failed")]


def test_a_change_that_is_rolled_back_is_not_announced() -> None:
    record_id = _add_encoded()
    held = rows.claim_assembly(record_id)
    with db.transaction() as session:
        assert rows.complete(session, held)
        session.rollback()
    assert _deliveries(record_id) == []


def test_an_event_shows_the_record_as_it_was() -> None:
    record_id = _add_encoded()
    db_call(rows.fail, record_id)
    db_call(rows.retry, record_id)
    held = _claim(record_id)
    assert held.record["status"] == "failed"
    assert held.record["error_code"] == "encode_failed"
    assert held.progress == 1.0


def test_an_expired_record_is_announced_and_loses_no_delivery() -> None:
    record_id = _add_done()
    _expire(record_id)
    assert _deliveries(record_id) == [
        (Event.DONE, JobState.READY, "done"),
        (Event.EXPIRED, JobState.READY, "expired"),
    ]
    with db.transaction() as session:
        kinds = select(Job.kind).where(Job.record_id == record_id)
        assert set(session.scalars(kinds)) == {JobKind.DELIVER}


def test_a_deleted_record_drops_its_deliveries() -> None:
    record_id = _add_done()
    held = _claim(record_id)
    db_call(db.records.mark_gone, record_id, RecordStatus.DELETED)
    assert _deliveries(record_id) == []
    assert not _deliver(held)


def test_a_failed_delivery_does_not_fail_its_record() -> None:
    record_id = _add_encoded()
    db_call(rows.fail, record_id)
    for _ in range(2 * rows.MAX_ATTEMPTS):
        assert _fail(_claim(record_id))
    db_call(rows.retry, record_id)
    assert db_call(db.sweeping.exhausted, rows.MAX_ATTEMPTS, 10) == []
    db_call(rows.fail, record_id)
    assert [event for event, _, _ in _deliveries(record_id)] == [Event.FAILED, Event.FAILED]


def test_a_pause_is_not_ended_by_the_sweeper() -> None:
    record_id = _add_done()
    held = _claim(record_id)
    assert _fail(held, 8 * 3600)
    db_call(db.sweeping.end_impossible_pauses)
    assert db_call(db.deliveries.due, record_id) == []
    with db.transaction() as session:
        session.execute(text("UPDATE jobs SET run_at = now() + interval '2 days'"))
    db_call(db.sweeping.end_impossible_pauses)
    assert db_call(db.deliveries.due, record_id) == [held.job_id]


def test_each_attempt_has_the_same_id() -> None:
    record_id = _add_done()
    first = _claim(record_id)
    assert rows.expire_leases() == [first.job_id]
    second = _claim(record_id)
    assert (second.id, second.attempt) == (first.id, 2)
    assert not _deliver(first)
    assert not db_call(db.deliveries.renew, first)
    assert _deliver(second)
    assert _deliveries(record_id) == [(Event.DONE, JobState.DONE, "done")]


def test_a_delivery_that_is_given_up_is_not_repeated() -> None:
    record_id = _add_done()
    assert _fail(_claim(record_id), None)
    assert _deliveries(record_id) == [(Event.DONE, JobState.FAILED, "done")]
    assert db_call(db.deliveries.due, record_id) == []


def test_finished_deliveries_of_an_expired_record_are_removed() -> None:
    record_id = _add_done()
    assert _deliver(_claim(record_id))
    _expire(record_id)
    assert _deliver(_claim(record_id))
    assert [event for event, _, _ in _deliveries(record_id)] == [Event.DONE]


def test_an_encoder_cannot_claim_a_delivery() -> None:
    record_id = _add_encoded()
    db_call(rows.fail, record_id)
    db_call(rows.retry, record_id)
    (job_id,) = db_call(db.deliveries.due, record_id)
    assert db_call(rows.try_claim, job_id) is None


def test_users_take_turns_in_deliveries_apart_from_conversions() -> None:
    busy, other = _add_done(), _add_done()
    first, second = db_call(db.deliveries.due, busy), db_call(db.deliveries.due, other)
    assert db_call(db.fairness.fairer_job, first[0]) is None
    assert db_call(db.deliveries.claim, first[0])
    user_id = rows.record(busy).user_id
    record_id, (job_id,) = rows.add_record(user_id=user_id, filename="b.wav")
    assert db_call(db.fairness.fairer_job, job_id) is None
    rows.set_callback(record_id, URL)
    db_call(rows.fail, record_id)
    (third,) = db_call(db.deliveries.due, record_id)
    assert db_call(db.fairness.fairer_job, third) == second[0]


def test_the_old_secret_signs_for_a_day() -> None:
    user_id = rows.add_user()
    assert not db_call(db.webhook_secrets.exists, user_id)
    first, second = b"first", b"second"
    assert db_call(db.webhook_secrets.rotate, user_id, first) is None
    assert db_call(db.webhook_secrets.valid, user_id) == [first]
    until = db_call(db.webhook_secrets.rotate, user_id, second)
    assert db_call(db.webhook_secrets.valid, user_id) == [second, first]
    with db.transaction() as session:
        assert session.scalars(select(func.now() + timedelta(days=1) > until)).one()
        session.execute(update(User).values(old_webhook_secret_until=func.now()))
    assert db_call(db.webhook_secrets.valid, user_id) == [second]
