"""What the sweeper finds, and what it must leave alone."""

from uuid import UUID

import pytest

from shared import db
from shared.db import Record, RecordStatus, SegmentState
from shared.queue import AGAIN, SEGMENTS
from tests.shared.db import rows
from tests.shared.db.rows import IN_FLIGHT, LEASE_S, MAX_ATTEMPTS, OVER_S, db_call

pytestmark = pytest.mark.usefixtures("database")

LIMIT = 10


def test_a_segment_whose_worker_is_dead_waits_again_on_a_queue_of_its_own() -> None:
    _, (abandoned, held, waiting) = rows.add_record(3)
    rows.claim(abandoned, lease_s=OVER_S)
    rows.claim(held)
    assert db_call(db.stale.take_back_segments, AGAIN, LIMIT) == [abandoned]
    assert rows.segment(abandoned).state == SegmentState.QUEUED
    assert rows.segment(abandoned).queue == AGAIN[SEGMENTS]
    assert rows.segment(held).state == SegmentState.ENCODING
    assert rows.segment(waiting).queue == SEGMENTS
    assert db_call(db.stale.take_back_segments, AGAIN, LIMIT) == []


def test_two_sweepers_at_once_take_each_segment_back_once_and_do_not_wait() -> None:
    _, segment_ids = rows.add_record(2)
    for segment_id in segment_ids:
        rows.claim(segment_id, lease_s=OVER_S)
    with db.transaction() as session:
        first = db.stale.take_back_segments(session, AGAIN, 1)
        second = rows.start(lambda other: db.stale.take_back_segments(other, AGAIN, LIMIT))
        assert second.done()
    assert sorted(first + second.result()) == segment_ids


def _worn_out() -> list[UUID]:
    found = db_call(db.stale.worn_out_records, MAX_ATTEMPTS, LIMIT)
    return [record.id for record in found]


def test_a_record_is_worn_out_when_a_segment_was_begun_too_often_and_nobody_works_on_it() -> None:
    record_id, (segment_id, _) = rows.add_record(2)
    for _ in range(MAX_ATTEMPTS):
        assert _worn_out() == []
        held = rows.claim(segment_id, lease_s=OVER_S)
    assert _worn_out() == [record_id]
    assert db_call(rows.renew, held)
    assert _worn_out() == []
    assert db_call(db.segments.give_back, held)
    assert _worn_out() == [record_id]
    db_call(rows.fail, record_id)
    assert _worn_out() == []


def test_a_record_is_worn_out_when_it_was_assembled_too_often_and_nobody_works_on_it() -> None:
    record_id = rows.add_encoded()
    for _ in range(MAX_ATTEMPTS):
        assert _worn_out() == []
        held = rows.claim_assembly(record_id, lease_s=OVER_S)
    assert _worn_out() == [record_id]
    assert db_call(db.assemblies.renew, held, LEASE_S)
    assert _worn_out() == []


def test_a_worn_out_record_is_left_to_the_worker_that_finishes_it_at_this_moment() -> None:
    _, (segment_id,) = rows.add_record()
    for _ in range(MAX_ATTEMPTS):
        held = rows.claim(segment_id, lease_s=OVER_S)
    with db.transaction() as session:
        assert rows.finish(session, held)
        assert (
            rows.start(lambda other: db.stale.worn_out_records(other, MAX_ATTEMPTS, LIMIT)).result()
            == []
        )
    assert _worn_out() == []


def test_a_record_is_to_be_assembled_while_nobody_does() -> None:
    rows.add_record()
    rows.add_done()
    record_id = rows.add_encoded()
    assert db_call(db.stale.unassembled_records, LIMIT) == [record_id]
    held = rows.claim_assembly(record_id)
    assert db_call(db.stale.unassembled_records, LIMIT) == []
    assert db_call(db.assemblies.renew, held, OVER_S)
    assert db_call(db.stale.unassembled_records, LIMIT) == [record_id]
    assert db_call(rows.complete, held)
    assert db_call(db.stale.unassembled_records, LIMIT) == []


def _due(queue: str = SEGMENTS) -> list[int]:
    return db_call(db.stale.due_segments, queue, IN_FLIGHT, LIMIT)


def test_at_most_so_many_segments_of_a_record_are_due_and_the_oldest_come_first() -> None:
    _, long = rows.add_record(5)
    _, short = rows.add_record(1)
    assert _due() == long[:IN_FLIGHT] + short
    assert db_call(db.stale.due_segments, SEGMENTS, IN_FLIGHT, 1) == long[:1]
    assert _due(AGAIN[SEGMENTS]) == []


def test_the_sweeper_finds_due_exactly_what_finishing_calls_for() -> None:
    _, segment_ids = rows.add_record(5)
    held = [rows.claim(segment_id) for segment_id in segment_ids[:IN_FLIGHT]]
    assert _due() == []
    finished = db_call(rows.finish, held[1])
    assert finished is not None
    assert finished.due is not None
    assert _due() == [finished.due.id] == [segment_ids[1 + IN_FLIGHT]]


def test_nothing_is_due_of_a_record_that_is_over() -> None:
    failed, _ = rows.add_record()
    deleted, _ = rows.add_record()
    db_call(rows.fail, failed)
    db_call(db.records.bury, deleted, RecordStatus.DELETED)
    assert _due() == []


def test_an_upload_whose_api_is_dead_leaves_nothing_behind() -> None:
    user_id = rows.add_user()
    abandoned = db_call(lambda session: rows.reserve(session, user_id, "a.wav", lease_s=OVER_S))
    alive = db_call(rows.reserve, user_id, "b.wav")
    accepted, _ = rows.add_record()
    assert db_call(db.stale.end_abandoned_uploads, LIMIT) == [(user_id, abandoned)]
    with db.transaction() as session:
        assert {record.id for record in session.query(Record)} == {alive, accepted}


def test_an_upload_that_is_accepted_at_this_moment_is_not_ended() -> None:
    user_id = rows.add_user()
    record_id = db_call(lambda session: rows.reserve(session, user_id, lease_s=OVER_S))
    with db.transaction() as session:
        assert rows.accept(session, record_id)
        ended = rows.start(lambda other: db.stale.end_abandoned_uploads(other, LIMIT))
        assert ended.result() == []
    assert rows.record(record_id).status == RecordStatus.QUEUED


def test_records_expire_when_their_time_has_come_and_only_once() -> None:
    kept, young, old = rows.add_done(), rows.add_done(retention_h=1), rows.add_done(retention_h=-1)
    failed, _ = rows.add_record()
    db_call(rows.fail, failed, -1)
    expired = db_call(db.stale.expire_records, LIMIT)
    assert {record_id for _, record_id in expired} == {old, failed}
    assert rows.record(old).status == rows.record(failed).status == RecordStatus.EXPIRED
    assert rows.record(kept).status == rows.record(young).status == RecordStatus.DONE
    assert db_call(db.stale.expire_records, LIMIT) == []
