"""Tasks in this process, on a real database, volume and ffmpeg: what they leave behind, however they end."""

import errno
import io
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime

import psutil
import pytest
import soundfile
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from shared import db, queue
from shared.db import RecordStatus, SegmentState
from shared.media import RecordFiles
from shared.settings import get_settings
from tests.shared.db import rows
from tests.shared.db.rows import db_call
from tests.wavs import build, sine
from tests.worker import stored
from tests.worker.stored import until
from worker import tasks

pytestmark = pytest.mark.usefixtures("database")

RATE_HZ = 8000
SAMPLES = 12 * RATE_HZ + 7
CANCELLED_WITHIN_S = 2


@pytest.fixture(scope="module")
def wav() -> bytes:
    return build(sine(SAMPLES, sample_rate_hz=RATE_HZ), sample_rate_hz=RATE_HZ)


def _decoded_samples(files: RecordFiles) -> int:
    return int(soundfile.info(io.BytesIO(files.mp3.read_bytes())).frames)


def test_a_record_becomes_an_mp3_of_as_many_samples_and_nothing_else_stays(wav: bytes) -> None:
    files, segment_ids = stored.store(wav)
    assert len(segment_ids) > 1
    for segment_id in segment_ids:
        tasks.encode_segment(str(segment_id))
    record = rows.record(files.record_id)
    assert record.status == RecordStatus.DONE
    assert _decoded_samples(files) == SAMPLES
    assert record.mp3_bytes == files.mp3.stat().st_size
    assert stored.names(files) == {".mp3"}


def test_a_task_that_comes_twice_does_nothing_the_second_time(wav: bytes) -> None:
    files, segment_ids = stored.store(wav)
    for segment_id in segment_ids[::-1]:
        tasks.encode_segment(str(segment_id))
        tasks.encode_segment(str(segment_id))
    before = files.mp3.stat()
    tasks.assemble(str(files.record_id))
    assert files.mp3.stat() == before
    assert {rows.segment(segment_id).attempt for segment_id in segment_ids} == {1}
    assert rows.record(files.record_id).attempt == 1


def test_the_mp3_is_the_same_whoever_encodes_in_whatever_order_and_attempt(wav: bytes) -> None:
    straight, segment_ids = stored.store(wav)
    for segment_id in segment_ids:
        tasks.encode_segment(str(segment_id))
    crooked, segment_ids = stored.store(wav)
    rows.claim(segment_ids[0], lease_s=rows.OVER_S)
    for segment_id in segment_ids[::-1]:
        tasks.encode_segment(str(segment_id))
    assert crooked.mp3.read_bytes() == straight.mp3.read_bytes()


def test_what_became_due_is_published(wav: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGMENTS_IN_FLIGHT", "1")
    get_settings.cache_clear()
    _, segment_ids = stored.store(wav)
    with queue.connect() as redis:
        redis.flushall()
    tasks.encode_segment(str(segment_ids[0]))
    assert queue.length(queue.SEGMENTS) == 1


def test_a_wav_that_turns_out_bad_fails_its_record_at_once_with_the_reason(wav: bytes) -> None:
    files, segment_ids = stored.store(wav)
    files.source.write_bytes(b"RIFF, but no more")
    tasks.encode_segment(str(segment_ids[0]))
    record = rows.record(files.record_id)
    assert (record.status, record.error_code) == (RecordStatus.FAILED, "not_a_wav")
    assert stored.names(files) == set()


def test_a_poison_segment_fails_its_record_after_its_last_attempt_and_frees_the_name(
    wav: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_id = rows.add_user()
    files, (first, second, *_) = stored.store(wav, user_id=user_id)
    tasks.encode_segment(str(second))
    monkeypatch.setenv("FFMPEG_MEMORY_BYTES", "1000000")
    get_settings.cache_clear()
    for _ in range(get_settings().max_attempts):
        assert rows.record(files.record_id).status == RecordStatus.CONVERTING
        assert rows.segment(first).state == SegmentState.QUEUED
        tasks.encode_segment(str(first))
    record = rows.record(files.record_id)
    assert (record.status, record.error_code) == (RecordStatus.FAILED, "encode_failed")
    assert record.error_detail is not None
    assert "/" not in record.error_detail
    assert stored.names(files) == set()
    db_call(rows.reserve, user_id)


def test_a_volume_that_is_away_is_waited_for_each_time_longer(wav: bytes) -> None:
    files, (segment_id, *_) = stored.store(wav)
    away = files.folder.with_name("away")
    files.folder.rename(away)
    pauses_s = []
    for _ in range(3):
        tasks.encode_segment(str(segment_id))
        pauses_s.append(_end_pause(segment_id))
    assert pauses_s == pytest.approx([15, 30, 45], abs=5)
    away.rename(files.folder)
    tasks.encode_segment(str(segment_id))
    assert rows.segment(segment_id).state == SegmentState.DONE


def _end_pause(segment_id: int) -> float:
    """How long nobody would have tried the segment again."""
    paused = rows.segment(segment_id)
    assert paused.state == SegmentState.ENCODING
    assert paused.lease_until is not None
    with db.transaction() as session:
        session.execute(text("UPDATE segments SET lease_until = now() - interval '1 s'"))
    return (paused.lease_until - datetime.now(UTC)).total_seconds()


def test_a_failure_that_is_not_committed_leaves_the_source_where_it_is(wav: bytes) -> None:
    files, segment_ids = stored.store(wav)
    files.source.write_bytes(b"RIFF, but no more")
    with _no_record_can_fail(), pytest.raises(DatabaseError, match="not now"):
        tasks.encode_segment(str(segment_ids[0]))
    assert rows.record(files.record_id).status == RecordStatus.CONVERTING
    assert stored.names(files) == {".wav"}


@contextmanager
def _no_record_can_fail() -> Iterator[None]:
    """Whoever commits a failed record is refused, as when the connection breaks at that moment."""
    with db.transaction() as session:
        session.execute(
            text(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
                " $$ BEGIN RAISE EXCEPTION 'not now'; END $$;"
                " CREATE CONSTRAINT TRIGGER refuse AFTER UPDATE ON records"
                " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"
                " WHEN (NEW.status = 'failed') EXECUTE FUNCTION refuse()"
            )
        )
    yield
    with db.transaction() as session:
        session.execute(text("DROP FUNCTION refuse CASCADE"))


def test_a_full_volume_is_the_reason_that_its_user_hears() -> None:
    assert tasks._reason(OSError(errno.ENOSPC, "No space left on device")).code == "no_space"
    assert tasks._reason(OSError(errno.EIO, "Input/output error")).code == "encode_failed"


@contextmanager
def _encoding(segment_id: int) -> Iterator[tuple[Future[None], psutil.Process]]:
    """The task in a thread, at the moment when its ffmpeg has begun and hangs."""
    with ThreadPoolExecutor(1) as threads:
        task = threads.submit(tasks.encode_segment, str(segment_id))
        until(stored.ffmpegs)
        (process,) = stored.ffmpegs()
        process.suspend()
        yield task, process


def _is_deleted(files: RecordFiles, segment_id: int) -> None:
    assert db_call(db.records.bury, files.record_id, RecordStatus.DELETED)
    files.source.unlink()


def _is_taken_over(files: RecordFiles, segment_id: int) -> None:
    with db.transaction() as session:
        session.execute(text("UPDATE segments SET lease_until = now() - interval '1 s'"))
        assert db.segments.claim(session, segment_id, max_attempts=4, lease_s=60)


@pytest.mark.parametrize(("it", "left"), [(_is_deleted, set()), (_is_taken_over, {".wav"})])
def test_ffmpeg_ends_and_leaves_nothing_when_its_segment(
    it: Callable[[RecordFiles, int], None], left: set[str]
) -> None:
    files, (segment_id,) = stored.store(build(sine(60 * 44100)), bitrate_kbps=320)
    with _encoding(segment_id) as (task, process):
        it(files, segment_id)
        assert until(lambda: not process.is_running(), CANCELLED_WITHIN_S)
        task.result(stored.WAIT_S)
    assert stored.names(files) == left


def test_a_worker_that_lost_its_segment_at_the_very_end_leaves_nothing(wav: bytes) -> None:
    files, segment_ids = stored.store(wav)
    held = rows.claim(segment_ids[0])
    samples = tasks._encode(held, get_settings())
    db_call(db.records.bury, files.record_id, RecordStatus.DELETED)
    with tasks._giving_back(held, get_settings()):
        tasks._finish_segment(held, samples, get_settings())
    assert stored.names(files) == set()
    assert not files.parts.exists()


def test_an_ffmpeg_that_hangs_is_ended_at_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "LEAST_TIMEOUT_S", -59)
    files, (segment_id,) = stored.store(build(sine(60 * 44100)), bitrate_kbps=320)
    with _encoding(segment_id) as (task, process):
        task.result(stored.WAIT_S)
        assert not process.is_running()
    assert rows.segment(segment_id).state == SegmentState.QUEUED
    assert stored.names(files) == {".wav"}
