"""A segment's states: who may take it, who may change it, and what follows when it is done."""

from collections.abc import Callable

import pytest
from shared.db.segments import SegmentClaim

from shared import db
from shared.db import RecordStatus, SegmentState
from shared.mp3_options import Options
from shared.queue import AGAIN, SEGMENTS
from shared.segmentation import SampleRange
from tests.shared.db import rows
from tests.shared.db.rows import IN_FLIGHT, OVER_S, SAMPLES, db_call

pytestmark = pytest.mark.usefixtures("database")


def test_a_claim_says_what_to_encode_and_begins_the_conversion() -> None:
    record_id, (_, second) = rows.add_record(2)
    held = rows.claim(second)
    assert held == SegmentClaim(
        segment_id=second,
        record_id=record_id,
        user_id=rows.record(record_id).user_id,
        index=1,
        stretch=SampleRange(SAMPLES, SAMPLES),
        options=Options(quality=2),
        attempt=1,
    )
    assert rows.segment(second).state == SegmentState.ENCODING
    assert rows.record(record_id).status == RecordStatus.CONVERTING


def test_of_two_claimers_at_once_exactly_one_wins() -> None:
    _, (segment_id,) = rows.add_record()
    first, second = rows.overlapped(
        lambda session: rows.try_claim(session, segment_id),
        lambda session: rows.try_claim(session, segment_id),
    )
    assert first is not None
    assert second is None
    assert rows.segment(segment_id).attempt == 1


def test_a_segment_is_taken_over_only_when_its_lease_has_run_out() -> None:
    _, (segment_id,) = rows.add_record()
    rows.claim(segment_id, lease_s=OVER_S)
    assert rows.claim(segment_id).attempt == 2
    _, (segment_id,) = rows.add_record()
    rows.claim(segment_id)
    assert db_call(rows.try_claim, segment_id) is None


def test_a_segment_is_begun_only_so_often() -> None:
    _, (segment_id,) = rows.add_record()
    for _ in range(rows.MAX_ATTEMPTS):
        rows.claim(segment_id, lease_s=OVER_S)
    assert db_call(rows.try_claim, segment_id) is None


def test_a_segment_that_is_done_or_unknown_is_not_claimed() -> None:
    _, (segment_id,) = rows.add_record()
    db_call(rows.finish, rows.claim(segment_id))
    assert db_call(rows.try_claim, segment_id) is None
    assert db_call(rows.try_claim, segment_id + 1) is None


def _is_taken_over(held: SegmentClaim) -> None:
    rows.claim(held.segment_id)


def _is_taken_back(_: SegmentClaim) -> None:
    assert db_call(db.stale.take_back_segments, AGAIN, 10)


def _fails(held: SegmentClaim) -> None:
    assert db_call(rows.fail, held.record_id)


def _is_deleted(held: SegmentClaim) -> None:
    assert db_call(db.records.bury, held.record_id, RecordStatus.DELETED)


@pytest.mark.parametrize("it", [_is_taken_over, _is_taken_back, _fails, _is_deleted])
def test_a_worker_that_lost_its_segment_changes_nothing(it: Callable[[SegmentClaim], None]) -> None:
    _, (segment_id,) = rows.add_record()
    held = rows.claim(segment_id, lease_s=OVER_S)
    it(held)
    assert not db_call(rows.renew, held)
    assert db_call(rows.finish, held) is None
    assert not db_call(db.segments.give_back, held)


def test_a_late_worker_keeps_a_segment_that_nobody_has_taken() -> None:
    _, (segment_id,) = rows.add_record()
    held = rows.claim(segment_id, lease_s=OVER_S)
    assert db_call(rows.renew, held)
    assert db_call(rows.try_claim, segment_id) is None
    assert db_call(rows.finish, held) is not None


def test_progress_is_seen_and_begins_anew_with_the_next_attempt() -> None:
    _, (segment_id,) = rows.add_record()
    held = rows.claim(segment_id)
    with db.transaction() as session:
        db.segments.renew(session, held, encoded_samples=SAMPLES // 2, lease_s=OVER_S)
    assert rows.segment(segment_id).encoded_samples == SAMPLES // 2
    rows.claim(segment_id)
    assert rows.segment(segment_id).encoded_samples == 0


def test_two_workers_that_finish_the_last_segments_at_once_see_the_end_once() -> None:
    _, segment_ids = rows.add_record(2)
    one, other = map(rows.claim, segment_ids)
    first, second = rows.overlapped(
        lambda session: rows.finish(session, one), lambda session: rows.finish(session, other)
    )
    assert first is not None
    assert second is not None
    assert (first.all_done, second.all_done) == (False, True)


def test_a_finished_segment_calls_for_the_one_that_many_behind_it() -> None:
    _, segment_ids = rows.add_record(IN_FLIGHT + 2)
    held = [rows.claim(segment_id) for segment_id in segment_ids[:IN_FLIGHT]]
    for index in (1, 0):
        finished = db_call(rows.finish, held[index])
        assert finished is not None
        assert finished.due is not None
        assert finished.due.id == segment_ids[index + IN_FLIGHT]
        assert finished.due.queue == SEGMENTS
    last = db_call(rows.finish, rows.claim(segment_ids[-1]))
    assert last == db.segments.Finished(all_done=False, due=None)


def test_the_parts_that_count_are_those_of_the_attempts_that_finished() -> None:
    record_id, (first, second) = rows.add_record(2)
    db_call(rows.finish, rows.claim(second))
    rows.claim(first, lease_s=OVER_S)
    db_call(rows.finish, rows.claim(first))
    parts = rows.claim_assembly(record_id).parts
    assert [(part.index, part.attempt, part.samples) for part in parts] == [
        (0, 2, SAMPLES),
        (1, 1, SAMPLES),
    ]


def test_a_segment_that_was_given_back_waits_and_keeps_its_count_of_attempts() -> None:
    _, (segment_id,) = rows.add_record()
    held = rows.claim(segment_id)
    assert db_call(db.segments.give_back, held)
    assert rows.segment(segment_id).state == SegmentState.QUEUED
    assert not db_call(rows.renew, held)
    assert rows.claim(segment_id).attempt == 2
