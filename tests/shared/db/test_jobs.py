"""A job's states: claims, leases, and the jobs that follow."""

from collections.abc import Callable
from dataclasses import asdict
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from shared import db
from shared.db import JobKind, JobState, RecordStatus
from shared.db.claims import Claim
from shared.mp3_options import Options
from shared.queue import CLIPS, RETRY_QUEUE, SEGMENTS
from shared.segmentation import SampleRange
from tests.shared.db import rows
from tests.shared.db.rows import ENCODER, IN_FLIGHT, MAX_ATTEMPTS, SAMPLES, db_call

pytestmark = pytest.mark.usefixtures("database")

LIMIT = 10
OTHER_ENCODER = "LAME on another machine"


def test_a_claim_describes_the_job_and_starts_the_conversion() -> None:
    record_id, (_, second) = rows.add_record(2)
    held = rows.claim(second)
    assert held == Claim(
        job_id=second,
        kind=JobKind.ENCODE,
        attempt=1,
        storage_waits=0,
        record_id=record_id,
        user_id=rows.record(record_id).user_id,
        source_bytes=4 * SAMPLES,
        max_part_bytes=None,
        encoder=ENCODER,
        sample_range=SampleRange(SAMPLES, SAMPLES),
        options=Options(quality=2),
        target=rows.TARGET,
        tags={},
        has_callback=False,
        segments=(),
    )
    assert rows.job(second).state == JobState.RUNNING
    assert rows.record(record_id).status == RecordStatus.CONVERTING


def test_options_of_another_release_are_ignored() -> None:
    record_id, (job_id,) = rows.add_record()
    with db.transaction() as session:
        session.execute(
            text(
                "UPDATE records SET options = options || '{\"loudness\": -14}',"
                " target = target || '{\"loudness\": -14}' WHERE id = :id"
            ),
            {"id": record_id},
        )
    held = rows.claim(job_id)
    assert (held.options, held.target) == (Options(quality=2), rows.TARGET)


def test_a_target_is_stored_at_accept() -> None:
    record_id, _ = rows.add_record()
    assert rows.record(record_id).target == asdict(rows.TARGET)


def test_a_record_of_an_older_release_has_no_target() -> None:
    record_id, (job_id,) = rows.add_record()
    with db.transaction() as session:
        session.execute(text("UPDATE records SET target = NULL"))
    assert rows.claim(job_id).target is None
    assert rows.record(record_id).target is None


def test_one_of_two_concurrent_claims_wins() -> None:
    _, (job_id,) = rows.add_record()
    first, second = rows.overlapped(
        lambda session: rows.try_claim(session, job_id),
        lambda session: rows.try_claim(session, job_id),
    )
    assert first is not None
    assert second is None
    assert rows.job(job_id).attempt == 1


def test_a_running_job_cannot_be_claimed() -> None:
    _, (job_id,) = rows.add_record()
    rows.claim(job_id)
    assert db_call(rows.try_claim, job_id) is None
    assert rows.expire_leases() == [job_id]
    assert rows.claim(job_id).attempt == 2


def test_attempts_are_limited() -> None:
    _, (job_id,) = rows.add_record()
    for _ in range(MAX_ATTEMPTS):
        rows.claim(job_id)
        rows.expire_leases()
    assert db_call(rows.try_claim, job_id) is None


def test_waits_for_storage_are_not_attempts() -> None:
    record_id, (job_id,) = rows.add_record()
    for _ in range(MAX_ATTEMPTS + 1):
        held = rows.claim(job_id)
        with db.transaction() as session:
            assert db.jobs.wait_for_storage(session, held, pause_s=0)
    assert rows.job(job_id).waiting_for == "storage"
    assert rows.record(record_id).status == RecordStatus.CONVERTING
    held = rows.claim(job_id)
    assert (held.attempt, held.storage_waits) == (MAX_ATTEMPTS + 2, MAX_ATTEMPTS + 1)
    assert db_call(rows.renew, held)
    assert rows.job(job_id).waiting_for is None


def test_storage_waits_end_together() -> None:
    _, (waiting, running) = rows.add_record(2)
    held = rows.claim(waiting)
    rows.claim(running)
    assert not db_call(db.sweeping.any_waits_for_storage)
    with db.transaction() as session:
        assert db.jobs.wait_for_storage(session, held, pause_s=60)
    assert db_call(db.sweeping.any_waits_for_storage)
    assert _due() == []
    assert db_call(db.sweeping.end_storage_waits) == [waiting]
    assert _due() == [waiting]


def test_a_clock_set_back_does_not_prolong_a_pause() -> None:
    _, (job_id,) = rows.add_record()
    with db.transaction() as session:
        assert db.jobs.requeue(session, rows.claim(job_id), pause_s=db.jobs.MAX_PAUSE_S)
    db_call(db.sweeping.end_impossible_pauses)
    assert _due() == []
    with db.transaction() as session:
        session.execute(text("UPDATE jobs SET run_at = run_at + interval '1 hour'"))
    db_call(db.sweeping.end_impossible_pauses)
    assert _due() == [job_id]


def test_assembly_attempts_are_limited() -> None:
    record_id = rows.add_encoded()
    for _ in range(MAX_ATTEMPTS):
        assert db_call(db.jobs.requeue, rows.claim_assembly(record_id))
    assert db_call(rows.try_claim, rows.assemble_job(record_id)) is None


def test_a_done_or_unknown_job_is_not_claimed() -> None:
    record_id, (job_id,) = rows.add_record()
    db_call(rows.finish, rows.claim(job_id))
    assert db_call(rows.try_claim, job_id) is None
    assert db_call(rows.try_claim, rows.assemble_job(record_id) + 1) is None


def test_a_held_job_is_not_claimed() -> None:
    record_id, job_ids = rows.add_record(IN_FLIGHT + 1)
    assert db_call(rows.try_claim, job_ids[IN_FLIGHT]) is None
    assert db_call(rows.try_claim, rows.assemble_job(record_id)) is None


def test_a_paused_job_is_neither_claimed_nor_due() -> None:
    _, (job_id,) = rows.add_record()
    held = rows.claim(job_id)
    with db.transaction() as session:
        assert db.jobs.requeue(session, held, pause_s=60)
    assert db_call(rows.try_claim, job_id) is None
    assert _due() == []
    with db.transaction() as session:
        session.execute(text("UPDATE jobs SET run_at = run_at - interval '60 s'"))
    assert _due() == [job_id]
    assert rows.claim(job_id).attempt == 2


def _take_over(held: Claim) -> None:
    rows.expire_leases()
    rows.claim(held.job_id)


def _requeue_expired(held: Claim) -> None:
    assert rows.expire_leases() == [held.job_id]


def _fail(held: Claim) -> None:
    assert db_call(rows.fail, held.record_id)


def _delete(held: Claim) -> None:
    assert db_call(db.records.mark_gone, held.record_id, RecordStatus.DELETED)


@pytest.mark.parametrize("lose", [_take_over, _requeue_expired, _fail, _delete])
def test_a_worker_without_its_lease_changes_nothing(lose: Callable[[Claim], None]) -> None:
    _, (job_id,) = rows.add_record()
    held = rows.claim(job_id)
    lose(held)
    assert not db_call(rows.renew, held)
    assert not db_call(rows.finish, held)
    assert not db_call(db.jobs.requeue, held)


def test_an_assembler_without_its_lease_changes_nothing() -> None:
    record_id = rows.add_encoded()
    zombie = rows.claim_assembly(record_id)
    rows.expire_leases()
    holder = rows.claim_assembly(record_id)
    assert holder.attempt == zombie.attempt + 1
    assert not db_call(rows.renew, zombie)
    assert not db_call(rows.complete, zombie)
    assert not db_call(db.jobs.requeue, zombie)
    assert db_call(rows.renew, holder)
    assert db_call(rows.complete, holder)
    assert not db_call(rows.complete, holder)


def test_a_renewed_lease_does_not_expire() -> None:
    _, (job_id,) = rows.add_record()
    held = rows.claim(job_id)
    seen = db_call(db.sweeping.leases)
    assert db_call(rows.renew, held)
    assert db_call(db.sweeping.requeue_expired, seen, RETRY_QUEUE) == []
    assert db_call(rows.finish, held)


def test_each_attempt_starts_its_progress_again() -> None:
    _, (job_id,) = rows.add_record()
    held = rows.claim(job_id)
    with db.transaction() as session:
        db.jobs.renew(session, held, encoded_samples=SAMPLES // 2)
    assert rows.job(job_id).encoded_samples == SAMPLES // 2
    rows.expire_leases()
    rows.claim(job_id)
    assert rows.job(job_id).encoded_samples == 0


def test_one_of_two_concurrent_last_segments_releases_the_assembly() -> None:
    record_id, job_ids = rows.add_record(2)
    one, other = map(rows.claim, job_ids)
    released = rows.overlapped(
        lambda session: (rows.finish(session, one), _assembly_state(session, record_id)),
        lambda session: (rows.finish(session, other), _assembly_state(session, record_id)),
    )
    assert released == ((True, JobState.HELD), (True, JobState.READY))


def _assembly_state(session: Session, record_id: UUID) -> str:
    state = text("SELECT state FROM jobs WHERE record_id = :id AND kind = 'assemble'")
    return str(session.scalar(state, {"id": record_id}))


def test_a_finished_segment_releases_the_next() -> None:
    record_id, job_ids = rows.add_record(IN_FLIGHT + 2)
    rows.add_record(IN_FLIGHT + 1)
    held = [rows.claim(job_id) for job_id in job_ids[:IN_FLIGHT]]
    for index in (1, 0):
        with db.transaction() as session:
            assert db.jobs.finish_encode(session, held[index], samples=SAMPLES)
            released = db.jobs.release_next(session, record_id)
        assert released is not None
        assert (released.id, released.queue) == (job_ids[IN_FLIGHT + 1 - index], SEGMENTS)
    assert db_call(db.jobs.release_next, record_id) is None


def test_a_record_is_assembled_after_all_its_segments() -> None:
    record_id, (first, second) = rows.add_record(2)
    db_call(rows.finish, rows.claim(first))
    held = rows.claim(second)
    assert db_call(rows.try_claim, rows.assemble_job(record_id)) is None
    db_call(rows.finish, held)
    assert rows.claim_assembly(record_id).attempt == 1


def test_parts_are_those_of_the_finished_attempts() -> None:
    record_id, (first, second) = rows.add_record(2)
    db_call(rows.finish, rows.claim(second))
    rows.claim(first)
    rows.expire_leases()
    db_call(rows.finish, rows.claim(first))
    segments = rows.claim_assembly(record_id).segments
    assert [(each.job_id, each.attempt, each.samples) for each in segments] == [
        (first, 2, SAMPLES),
        (second, 1, SAMPLES),
    ]


def test_a_requeued_job_keeps_its_attempts() -> None:
    _, (job_id,) = rows.add_record()
    held = rows.claim(job_id)
    assert db_call(db.jobs.requeue, held)
    assert rows.job(job_id).state == JobState.READY
    assert not db_call(rows.renew, held)
    assert rows.claim(job_id).attempt == 2


def test_an_expired_job_goes_to_a_retry_queue() -> None:
    _, (expired, running) = rows.add_record(2)
    _, (ready,) = rows.add_record()
    rows.claim(expired)
    seen = db_call(db.sweeping.leases)
    rows.claim(running)
    assert db_call(db.sweeping.requeue_expired, seen, RETRY_QUEUE) == [expired]
    assert rows.job(expired).state == JobState.READY
    assert rows.job(expired).queue == RETRY_QUEUE[SEGMENTS]
    assert rows.job(running).state == JobState.RUNNING
    assert rows.job(ready).queue == SEGMENTS
    assert db_call(db.sweeping.requeue_expired, seen, RETRY_QUEUE) == []


def test_an_expired_assembly_stays_on_its_queue() -> None:
    record_id = rows.add_encoded()
    rows.claim_assembly(record_id)
    assert rows.expire_leases() == [rows.assemble_job(record_id)]
    assert _due(RETRY_QUEUE[CLIPS]) == [rows.assemble_job(record_id)]


def test_concurrent_sweepers_requeue_each_job_once() -> None:
    _, job_ids = rows.add_record(2)
    for job_id in job_ids:
        rows.claim(job_id)
    seen = db_call(db.sweeping.leases)
    with db.transaction() as session:
        first = db.sweeping.requeue_expired(session, {job_ids[0]: seen[job_ids[0]]}, RETRY_QUEUE)
        second = rows.start(lambda other: db.sweeping.requeue_expired(other, seen, RETRY_QUEUE))
        assert second.done()
    assert sorted(first + second.result()) == job_ids


def _due(queue: str = SEGMENTS) -> list[int]:
    return db_call(db.sweeping.due, queue, LIMIT)


def test_due_jobs_are_the_oldest_ready_ones() -> None:
    _, long = rows.add_record(5)
    _, short = rows.add_record(1)
    assert _due() == long[:IN_FLIGHT] + short
    assert db_call(db.sweeping.due, SEGMENTS, 1) == long[:1]
    assert _due(RETRY_QUEUE[SEGMENTS]) == []


def test_a_released_job_is_due() -> None:
    _, job_ids = rows.add_record(5)
    held = [rows.claim(job_id) for job_id in job_ids[:IN_FLIGHT]]
    assert _due() == []
    db_call(rows.finish, held[1])
    assert _due() == [job_ids[IN_FLIGHT]]


def test_a_failed_or_deleted_record_has_no_due_jobs() -> None:
    failed, _ = rows.add_record()
    deleted, _ = rows.add_record()
    db_call(rows.fail, failed)
    db_call(db.records.mark_gone, deleted, RecordStatus.DELETED)
    assert _due() == []


def test_the_first_claim_sets_the_encoder() -> None:
    record_id, (first, second) = rows.add_record(2)
    assert rows.record(record_id).encoder is None
    rows.claim(first)
    assert rows.record(record_id).encoder == ENCODER
    assert db_call(rows.try_claim, second, OTHER_ENCODER) is None
    assert rows.job(second).attempt == 0


def test_an_encoder_that_finished_nothing_is_replaced() -> None:
    record_id, (first, second) = rows.add_record(2)
    assert db_call(db.jobs.requeue, rows.claim(first))
    rows.claim(second, encoder=OTHER_ENCODER)
    assert rows.record(record_id).encoder == OTHER_ENCODER


def test_any_worker_may_assemble() -> None:
    record_id = rows.add_encoded()
    held = rows.claim(rows.assemble_job(record_id), encoder=OTHER_ENCODER)
    assert held.encoder == ENCODER
    assert rows.record(record_id).encoder == ENCODER


def _report(name: str, encoder: str, role: str = "main", seen_s_ago: int = 0) -> None:
    with db.transaction() as session:
        db.workers.report_alive(session, name, role, encoder)
        session.execute(
            text("UPDATE workers SET seen_at = now() - make_interval(secs => :s) WHERE name = :n"),
            {"s": seen_s_ago, "n": name},
        )


def _without_encoder() -> list[UUID]:
    return [record.id for record in db_call(db.sweeping.records_without_encoder, LIMIT)]


def _half_encoded(count: int = 3) -> tuple[UUID, list[int]]:
    record_id, job_ids = rows.add_record(count)
    db_call(rows.finish, rows.claim(job_ids[0]))
    return record_id, job_ids


def test_a_record_whose_encoder_is_gone_is_found() -> None:
    record_id, _ = _half_encoded()
    assert _without_encoder() == []
    _report("new", OTHER_ENCODER)
    assert _without_encoder() == [record_id]
    _report("clips", ENCODER, role="clips")
    assert _without_encoder() == [record_id]
    _report("old", ENCODER)
    assert _without_encoder() == []


def test_a_worker_that_restarts_keeps_its_records() -> None:
    record_id, _ = _half_encoded()
    _report("new", OTHER_ENCODER)
    _report("old", ENCODER, seen_s_ago=10)
    db_call(db.workers.report_stopped, "old")
    assert _without_encoder() == []
    _report("old", ENCODER, seen_s_ago=db.sweeping.ENCODER_GONE_AFTER_S + 1)
    assert _without_encoder() == [record_id]


def test_a_restarted_encoding_has_new_jobs_for_any_encoder() -> None:
    record_id, old = _half_encoded()
    running = rows.claim(old[1])
    with db.transaction() as session:
        (record,) = [session.get_one(db.Record, record_id)]
        db.sweeping.restart_encoding(session, record, in_flight=IN_FLIGHT)
    new = db_call(rows.encode_jobs, record_id)
    assert not set(new) & set(old)
    assert not db_call(rows.finish, running)
    ranges = [rows.claim(new[0], encoder=OTHER_ENCODER).sample_range]
    for job_id in new:
        if rows.job(job_id).state == JobState.RUNNING:
            continue
        ranges.append(SampleRange(rows.job(job_id).start_sample, rows.job(job_id).samples))
    assert ranges == [SampleRange(index * SAMPLES, SAMPLES) for index in range(3)]
    assert rows.record(record_id).encoder == OTHER_ENCODER
    assert rows.job(new[2]).state == JobState.HELD


def test_a_worker_seen_in_the_future_is_dead() -> None:
    """The database's clock was set back by an hour, and the worker has not reported itself since."""
    _report("main", ENCODER)
    assert db_call(db.workers.alive, "main") == ["main"]
    _report("main", ENCODER, seen_s_ago=-3600)
    assert db_call(db.workers.alive, "main") == []


def test_vanished_parts_are_encoded_again() -> None:
    record_id = rows.add_encoded(2)
    first, second = db_call(rows.encode_jobs, record_id)
    assembly = rows.claim_assembly(record_id)
    assert db_call(db.jobs.repeat_encoding, assembly, [second])
    assert not db_call(rows.complete, assembly)
    assert _due() == [second]
    db_call(rows.finish, rows.claim(second))
    assembly = rows.claim_assembly(record_id)
    assert [(each.job_id, each.attempt) for each in assembly.segments] == [(first, 1), (second, 2)]
    assert db_call(rows.complete, assembly)


def _jobs_of(user_id: UUID, count: int, *, is_long: bool = False) -> list[int]:
    with db.transaction() as session:
        job_ids = []
        for index in range(count):
            record_id = rows.reserve(session, user_id, f"{index}-{is_long}.wav")
            (job_id,) = rows.accept(session, record_id)
            session.get_one(db.Job, job_id).is_long = is_long
            job_ids.append(job_id)
    return job_ids


def test_users_take_turns() -> None:
    crowd = _jobs_of(rows.add_user(), 4)
    (single,) = _jobs_of(rows.add_user(), 1)
    assert db_call(db.fairness.fairer_job, crowd[0]) is None
    rows.claim(crowd[0])
    assert db_call(db.fairness.fairer_job, crowd[1]) == single
    rows.claim(single)
    assert db_call(db.fairness.fairer_job, crowd[1]) is None


def test_unknown_jobs_have_no_fairer_job() -> None:
    assert db_call(db.fairness.fairer_job, 10**9) is None


def test_a_user_runs_one_long_job_while_others_wait() -> None:
    user_id = rows.add_user()
    long = _jobs_of(user_id, 3, is_long=True)
    (other,) = _jobs_of(rows.add_user(), 1)
    rows.claim(long[0])
    assert db_call(db.fairness.fairer_job, long[1]) == other
    held = rows.claim(other)
    assert db_call(db.fairness.fairer_job, long[1]) is None
    assert db_call(db.jobs.requeue, held)
    assert db_call(db.fairness.fairer_job, long[1]) == other
