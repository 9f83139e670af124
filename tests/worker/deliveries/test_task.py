"""The task that delivers: pauses between attempts, the last attempt, and a bug in between."""

import json
from collections.abc import Iterator
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from shared import db, queue
from shared.db import Delivery, Job, JobKind, JobState
from shared.settings import get_settings
from tests.receiver import Receiver, receiving, status
from tests.shared.db import rows
from tests.shared.db.rows import db_call
from worker import tasks
from worker.deliveries import task
from worker.deliveries.task import MAX_ATTEMPTS, PAUSES_S

DAY_S = 24 * 3600


@pytest.fixture(autouse=True)
def _settings(database: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOK_ALLOWED_HOSTS", "127.0.0.1")
    monkeypatch.setenv("WEBHOOK_TIMEOUT_S", "5")
    get_settings.cache_clear()
    with queue.connect() as redis:
        redis.flushall()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def _attempt(url: str, attempts_before: int = 0) -> tuple[UUID, int]:
    """Run one attempt of a new delivery. Return the ids of its record and its job."""
    record_id = rows.add_encoded()
    rows.set_callback(record_id, url)
    db_call(rows.complete, rows.claim_assembly(record_id))
    (job_id,) = db_call(db.deliveries.due, record_id)
    with db.transaction() as session:
        session.execute(update(Job).where(Job.id == job_id).values(attempt=attempts_before))
    task.deliver(str(job_id))
    return record_id, job_id


def _pause_s(job_id: int) -> float:
    with db.transaction() as session:
        pause = select(func.extract("epoch", Job.run_at - func.now())).where(Job.id == job_id)
        return float(session.scalars(pause).one())


def _delivery(job_id: int) -> Delivery:
    with db.transaction() as session:
        return session.get_one(Delivery, job_id)


def test_a_delivery_is_attempted_for_about_a_day() -> None:
    assert 0.9 * DAY_S < sum(PAUSES_S) < 1.1 * DAY_S
    assert sorted(PAUSES_S) == [*PAUSES_S]
    assert max(PAUSES_S) * 1.1 < db.jobs.MAX_DELIVERY_PAUSE_S


@pytest.mark.parametrize("attempt", [1, 2, MAX_ATTEMPTS - 1])
def test_pauses_grow_with_each_attempt(receiver: Receiver, attempt: int) -> None:
    receiver.answers = [status(500)]
    _, job_id = _attempt(receiver.url, attempt - 1)
    assert rows.job(job_id).state == JobState.READY
    assert 0.8 * PAUSES_S[attempt - 1] - 2 < _pause_s(job_id) < 1.2 * PAUSES_S[attempt - 1]


def test_links_are_signed_if_they_expire(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINK_TTL_S", "600")
    monkeypatch.setenv("LINK_KEYS", "a key that signs links")
    monkeypatch.setenv("PUBLIC_URL", "https://audio.example/sub/")
    get_settings.cache_clear()
    record_id, _ = _attempt(receiver.url)
    record = json.loads(receiver.requests[0].body)["data"]
    assert record["status_link"].startswith(
        f"https://audio.example/sub/records/{record_id}?expires="
    )
    assert "&signature=" in record["download_link"]


def test_the_last_attempt_ends_the_delivery(receiver: Receiver) -> None:
    receiver.answers = [status(500)]
    _, job_id = _attempt(receiver.url, MAX_ATTEMPTS - 1)
    assert rows.job(job_id).state == JobState.FAILED
    assert _delivery(job_id).last_status == 500


def test_interrupted_attempts_do_not_repeat_for_ever(receiver: Receiver) -> None:
    _, job_id = _attempt(receiver.url, MAX_ATTEMPTS)
    assert rows.job(job_id).state == JobState.FAILED
    assert receiver.requests == []


def test_an_unexpected_error_is_a_failed_attempt(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    record_id, job_id = _attempt(receiver.url, 0)
    assert _delivery(job_id).last_status == 204
    with db.transaction() as session:
        session.execute(update(Delivery).values(record={"id": str(record_id)}))
        session.execute(update(Job).where(Job.id == job_id).values(state=JobState.READY))
    task.deliver(str(job_id))
    assert rows.job(job_id).state == JobState.READY
    assert "inside the service" in (_delivery(job_id).last_error or "")


def test_a_task_that_arrives_twice_delivers_once(receiver: Receiver) -> None:
    _, job_id = _attempt(receiver.url)
    task.deliver(str(job_id))
    assert len(receiver.requests) == 1


def test_an_encode_job_is_not_delivered() -> None:
    _, (job_id,) = rows.add_record()
    task.deliver(str(job_id))
    assert rows.job(job_id).state == JobState.READY


def test_new_deliveries_are_published_on_their_queue(receiver: Receiver) -> None:
    record_id = rows.add_encoded()
    rows.set_callback(record_id, receiver.url)
    claim = rows.claim_assembly(record_id)
    db_call(rows.complete, claim)
    tasks._publish_deliveries(claim)
    assert queue.length(queue.DELIVERIES) == 1


def test_users_take_turns(receiver: Receiver) -> None:
    _, running = _attempt(receiver.url)
    with db.transaction() as session:
        session.execute(update(Job).where(Job.id == running).values(state=JobState.RUNNING))
    user_id = rows.job(running).user_id
    record_id, _ = rows.add_record(user_id=user_id, filename="b.wav")
    rows.set_callback(record_id, receiver.url)
    db_call(rows.fail, record_id)
    other_id, _ = rows.add_record()
    rows.set_callback(other_id, receiver.url)
    db_call(rows.fail, other_id)
    (waiting,) = db_call(db.deliveries.due, record_id)
    task.deliver(str(waiting))
    with db.transaction() as session:
        done = select(Job.record_id).where(Job.kind == JobKind.DELIVER, Job.state == JobState.DONE)
        assert session.scalars(done).all() == [other_id]
    assert queue.length(queue.DELIVERIES) == 1
