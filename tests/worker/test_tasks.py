"""Tasks in this process, on a real database, volume and ffmpeg: their rows and files after success and failure."""

import io
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from math import nan
from pathlib import Path
from typing import Any

import psutil
import pytest
import soundfile
from mutagen.id3 import ID3
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from shared import db, media, mp3_options, queue
from shared.db import JobState, RecordStatus
from shared.db.claims import Claim
from shared.media import RecordFiles
from shared.settings import get_settings
from shared.waveform import Waveform
from tests.shared.db import rows
from tests.shared.db.rows import db_call
from tests.wavs import build, sine
from tests.worker import stored
from tests.worker.log_lines import log_lines
from tests.worker.stored import until
from tests.worker.tags.tag_material import info
from worker import failed_attempts, sweep, tasks
from worker.audio import encoder_fingerprint

pytestmark = pytest.mark.usefixtures("database")

RATE_HZ = 8000
SAMPLES = 12 * RATE_HZ + 7


@pytest.fixture(scope="module")
def wav() -> bytes:
    return build(sine(SAMPLES, sample_rate_hz=RATE_HZ), sample_rate_hz=RATE_HZ)


def _decoded_samples(files: RecordFiles) -> int:
    return int(soundfile.info(io.BytesIO(files.mp3.read_bytes())).frames)


def test_only_the_mp3_remains(wav: bytes) -> None:
    files, job_ids = stored.store(wav)
    assert len(job_ids) > 1
    for job_id in job_ids:
        tasks.run_job(str(job_id))
    record = rows.record(files.record_id)
    assert record.status == RecordStatus.DONE
    assert _decoded_samples(files) == SAMPLES
    assert record.mp3_bytes == files.mp3.stat().st_size
    assert stored.names(files) == {".mp3", ".peaks"}
    assert 1024 < Waveform.from_dat(files.peaks.read_bytes()).pixels <= 2048


def test_finished_work_is_logged_with_its_times(wav: bytes) -> None:
    files, job_ids = stored.store(wav, segment_s=300)
    with db.transaction() as session:
        session.execute(text("UPDATE jobs SET run_at = run_at - interval '20 s'"))
    with log_lines(tasks) as lines:
        tasks.run_job(str(job_ids[0]))
    segment, record = lines
    assert (segment["event"], record["event"]) == ("segment encoded", "record done")
    assert 20 <= segment["waited_s"] < 60
    assert 0 <= record["waited_s"] < 20
    assert 0 < segment["took_s"] < 60
    assert 0 < record["took_s"] < 60
    assert segment["user_id"] == str(rows.record(files.record_id).user_id)


def test_a_part_without_peaks_leaves_no_waveform(wav: bytes) -> None:
    """A worker of an older release encoded the part."""
    (get_settings().media_dir / media.MARKER).touch()
    files, job_ids = stored.store(wav)
    tasks.run_job(str(job_ids[0]))
    files.part_peaks(job_ids[0], 1).unlink()
    for job_id in job_ids[1:]:
        tasks.run_job(str(job_id))
    assert rows.record(files.record_id).status == RecordStatus.DONE
    assert stored.names(files) == {".mp3"}


def test_a_duplicate_task_does_nothing(wav: bytes) -> None:
    files, job_ids = stored.store(wav)
    for job_id in job_ids[::-1]:
        tasks.run_job(str(job_id))
        tasks.run_job(str(job_id))
    before = files.mp3.stat()
    tasks.run_job(str(rows.assemble_job(files.record_id)))
    assert files.mp3.stat() == before
    assert {rows.job(job_id).attempt for job_id in job_ids} == {1}
    assert rows.job(rows.assemble_job(files.record_id)).attempt == 1


def test_order_and_attempts_do_not_change_the_mp3(wav: bytes) -> None:
    straight, job_ids = stored.store(wav)
    for job_id in job_ids:
        tasks.run_job(str(job_id))
    crooked, job_ids = stored.store(wav)
    rows.claim(job_ids[0], encoder=encoder_fingerprint())
    rows.expire_leases()
    for job_id in job_ids[::-1]:
        tasks.run_job(str(job_id))
    assert crooked.mp3.read_bytes() == straight.mp3.read_bytes()


def test_the_released_job_is_published(wav: bytes) -> None:
    _, job_ids = stored.store(wav, in_flight=1)
    with queue.connect() as redis:
        redis.flushall()
    tasks.run_job(str(job_ids[0]))
    assert queue.length(queue.SEGMENTS) == 1


def test_a_bad_wav_fails_its_record_at_once(wav: bytes) -> None:
    files, job_ids = stored.store(wav)
    files.source.write_bytes(b"RIFF, but no more" + wav[17:])
    tasks.run_job(str(job_ids[0]))
    record = rows.record(files.record_id)
    assert (record.status, record.error_code) == (RecordStatus.FAILED, "not_a_wav")
    assert stored.names(files) == {".wav"}


def test_the_last_failed_attempt_fails_the_record(
    wav: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_id = rows.add_user()
    files, (first, second, *_) = stored.store(wav, user_id=user_id)
    tasks.run_job(str(second))
    monkeypatch.setenv("FFMPEG_MEMORY_BYTES", "1000000")
    get_settings.cache_clear()
    for _ in range(get_settings().max_attempts):
        assert rows.record(files.record_id).status == RecordStatus.CONVERTING
        assert rows.job(first).state == JobState.READY
        tasks.run_job(str(first))
    record = rows.record(files.record_id)
    assert (record.status, record.error_code) == (RecordStatus.FAILED, "encode_failed")
    assert record.error_detail is not None
    assert "/" not in record.error_detail
    assert stored.names(files) == {".wav"}
    db_call(rows.reserve, user_id)


def test_a_missing_volume_pauses_the_job_without_attempts(wav: bytes) -> None:
    files, (job_id, *_) = stored.store(wav)
    away = files.folder.with_name("away")
    files.folder.rename(away)
    pauses_s = []
    for _ in range(get_settings().max_attempts + 4):
        tasks.run_job(str(job_id))
        assert rows.job(job_id).waiting_for == "storage"
        pauses_s.append(_end_pause(job_id))
    assert pauses_s[:3] == pytest.approx([5, 10, 15], abs=4)
    assert pauses_s[-1] == pytest.approx(60, abs=4)
    away.rename(files.folder)
    tasks.run_job(str(job_id))
    assert rows.job(job_id).state == JobState.DONE
    assert rows.job(job_id).waiting_for is None


@pytest.fixture
def small_volume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A volume of 2 MiB."""
    volume = tmp_path / "small"
    volume.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(volume)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small volume")
    monkeypatch.setenv("MEDIA_DIR", str(volume))
    get_settings.cache_clear()
    yield volume
    subprocess.run(["umount", "--lazy", str(volume)], check=True)


def test_a_full_volume_pauses_the_job(wav: bytes, small_volume: Path) -> None:
    files, job_ids = stored.store(wav)
    ballast = small_volume / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        file.write(bytes(2**21))
    tasks.run_job(str(job_ids[0]))
    assert rows.job(job_ids[0]).waiting_for == "storage"
    assert rows.record(files.record_id).status == RecordStatus.CONVERTING
    ballast.unlink()
    (small_volume / media.MARKER).touch()
    sweep.end_storage_waits(get_settings())
    for job_id in job_ids:
        tasks.run_job(str(job_id))
    assert rows.record(files.record_id).status == RecordStatus.DONE


def _remove(files: RecordFiles) -> None:
    files.source.unlink()


def _cut(files: RecordFiles) -> None:
    files.source.write_bytes(files.source.read_bytes()[:-1])


@pytest.mark.parametrize("harm", [_remove, _cut])
def test_a_lost_source_fails_its_record_at_once(
    harm: Callable[[RecordFiles], None], wav: bytes
) -> None:
    (get_settings().media_dir / media.MARKER).touch()
    files, job_ids = stored.store(wav)
    harm(files)
    with log_lines(failed_attempts) as lines:
        tasks.run_job(str(job_ids[0]))
    record = rows.record(files.record_id)
    assert (record.status, record.error_code) == (RecordStatus.FAILED, "source_lost")
    attempt, failed = lines
    assert (attempt["event"], failed["event"]) == ("attempt failed", "record failed")
    assert (attempt["code"], failed["code"]) == ("source_lost", "source_lost")
    assert "exc_info" not in attempt
    ids = (failed["record_id"], failed["user_id"])
    assert ids == (str(files.record_id), str(record.user_id))


def test_an_unexpected_error_is_logged_with_its_traceback(
    wav: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, job_ids = stored.store(wav)
    monkeypatch.setattr(tasks, "write_part", None)
    with log_lines(failed_attempts) as lines:
        tasks.run_job(str(job_ids[0]))
    assert [line["event"] for line in lines] == ["attempt failed"]
    assert lines[0]["exc_info"]


def _end_pause(job_id: int) -> float:
    """Return the seconds that the job would still have waited."""
    paused = rows.job(job_id)
    assert paused.state == JobState.READY
    with db.transaction() as session:
        session.execute(text("UPDATE jobs SET run_at = now()"))
    return (paused.run_at - datetime.now(UTC)).total_seconds()


def test_an_uncommitted_failure_keeps_the_source(wav: bytes) -> None:
    files, job_ids = stored.store(wav)
    files.source.write_bytes(b"RIFF, but no more" + wav[17:])
    with _no_record_can_fail(), pytest.raises(DatabaseError, match="not now"):
        tasks.run_job(str(job_ids[0]))
    assert rows.record(files.record_id).status == RecordStatus.CONVERTING
    assert stored.names(files) == {".wav"}


@contextmanager
def _no_record_can_fail() -> Iterator[None]:
    """Refuse each commit that fails a record, as a broken connection does."""
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


@contextmanager
def _encoding(job_id: int) -> Iterator[tuple[Future[None], psutil.Process]]:
    """Run the task in a thread. Yield when its ffmpeg has begun and hangs."""
    with ThreadPoolExecutor(1) as threads:
        task = threads.submit(tasks.run_job, str(job_id))
        until(stored.ffmpegs)
        (process,) = stored.ffmpegs()
        process.suspend()
        yield task, process


def _is_deleted(files: RecordFiles, job_id: int) -> None:
    assert db_call(db.records.mark_gone, files.record_id, RecordStatus.DELETED)
    files.source.unlink()


def _is_taken_over(files: RecordFiles, job_id: int) -> None:
    assert rows.expire_leases() == [job_id]
    rows.claim(job_id, encoder=encoder_fingerprint())


@pytest.mark.parametrize(("it", "left"), [(_is_deleted, set()), (_is_taken_over, {".wav"})])
def test_ffmpeg_ends_when_its_job_is_lost(
    it: Callable[[RecordFiles, int], None], left: set[str]
) -> None:
    files, (job_id,) = stored.store(build(sine(60 * 44100)), bitrate_kbps=320)
    with _encoding(job_id) as (task, process):
        it(files, job_id)
        assert until(lambda: not process.is_running())
        task.result(stored.WAIT_S)
    assert stored.names(files) == left


def test_a_late_deletion_leaves_no_file(wav: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    files, job_ids = stored.store(wav)
    held = rows.claim(job_ids[0], encoder=encoder_fingerprint())
    finish_encode = db.jobs.finish_encode

    def delete_first(session: Session, held: Claim, **encoded: Any) -> bool:
        db_call(db.records.mark_gone, files.record_id, RecordStatus.DELETED)
        return finish_encode(session, held, **encoded)

    monkeypatch.setattr(db.jobs, "finish_encode", delete_first)
    assert tasks._run(tasks.Work(held), get_settings()) is None
    assert stored.names(files) == set()
    assert not files.parts.exists()


def test_a_hanging_ffmpeg_is_killed_at_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "MIN_TIMEOUT_S", -59)
    files, (job_id,) = stored.store(build(sine(60 * 44100)), bitrate_kbps=320)
    with _encoding(job_id) as (task, process):
        task.result(stored.WAIT_S)
        assert not process.is_running()
    assert rows.job(job_id).state == JobState.READY
    assert stored.names(files) == {".wav"}


def test_a_failed_assembly_is_tried_again(wav: bytes) -> None:
    files, job_ids = stored.store(wav)
    for job_id in job_ids[:-1]:
        tasks.run_job(str(job_id))
    damaged = files.part(job_ids[0], 1)
    frames = damaged.read_bytes()
    damaged.write_bytes(b"no frames")
    tasks.run_job(str(job_ids[-1]))
    assembly = rows.assemble_job(files.record_id)
    assert rows.job(assembly).state == JobState.READY
    assert rows.record(files.record_id).status == RecordStatus.CONVERTING
    damaged.write_bytes(frames)
    tasks.run_job(str(assembly))
    assert rows.job(assembly).attempt == 2
    assert rows.record(files.record_id).status == RecordStatus.DONE
    assert _decoded_samples(files) == SAMPLES


def test_a_stored_target_wins_over_new_defaults(
    wav: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A release that changes the default quality does not change a record in progress."""
    straight, job_ids = stored.store(wav)
    for job_id in job_ids:
        tasks.run_job(str(job_id))
    upgraded, job_ids = stored.store(wav)
    tasks.run_job(str(job_ids[0]))
    monkeypatch.setattr(mp3_options, "DEFAULT_QUALITY", 7)
    for job_id in job_ids[1:]:
        tasks.run_job(str(job_id))
    assert upgraded.mp3.read_bytes() == straight.mp3.read_bytes()


def test_parts_of_an_abandoned_plan_are_never_joined(wav: bytes) -> None:
    straight, job_ids = stored.store(wav)
    for job_id in job_ids:
        tasks.run_job(str(job_id))
    restarted, job_ids = stored.store(wav)
    for job_id in job_ids[:-1]:
        tasks.run_job(str(job_id))
    for part in restarted.parts.iterdir():
        part.write_bytes(b"the bytes of another encoder")
    with db.transaction() as session:
        record = session.get_one(db.Record, restarted.record_id)
        db.sweeping.restart_encoding(session, record, in_flight=32)
    for job_id in db_call(rows.encode_jobs, restarted.record_id):
        tasks.run_job(str(job_id))
    assert restarted.mp3.read_bytes() == straight.mp3.read_bytes()


def test_a_vanished_part_is_encoded_again(wav: bytes) -> None:
    (get_settings().media_dir / media.MARKER).touch()
    straight, job_ids = stored.store(wav)
    for job_id in job_ids:
        tasks.run_job(str(job_id))
    files, job_ids = stored.store(wav)
    for job_id in job_ids[:-1]:
        tasks.run_job(str(job_id))
    files.part(job_ids[0], 1).unlink()
    tasks.run_job(str(job_ids[-1]))
    assert rows.job(job_ids[0]).state == JobState.READY
    tasks.run_job(str(job_ids[0]))
    assert files.mp3.read_bytes() == straight.mp3.read_bytes()


def test_warnings_found_while_converting_reach_the_record() -> None:
    title = info(INAM="Утро туманное".encode("cp1251"), IART="Городской хор".encode("cp1251"))
    loud = 4 * sine(SAMPLES, sample_rate_hz=RATE_HZ)
    loud[[0, SAMPLES // 2, -1]] = nan
    wav = build(loud, sample_rate_hz=RATE_HZ, codec="float", bits=32, before=[title])
    files, job_ids = stored.store(wav)
    for job_id in job_ids:
        tasks.run_job(str(job_id))
    flaw, peak, charset = rows.record(files.record_id).warnings
    assert len(job_ids) > 1
    assert flaw.startswith("3 sample(s)")
    assert "(NaN)" in flaw
    assert "peaks at +6.0 dBFS" in peak
    assert "gain_db=-6.0" in peak
    assert "cp1251" in charset


def test_the_options_of_the_tag_are_applied() -> None:
    title = info(INAM="Утро".encode("cp1251"))
    wav = build(sine(SAMPLES, sample_rate_hz=RATE_HZ), sample_rate_hz=RATE_HZ, before=[title])
    files, job_ids = stored.store(wav, tag_charset="cp1251", id3_version="2.3")
    for job_id in job_ids:
        tasks.run_job(str(job_id))
    assert files.mp3.read_bytes().startswith(b"ID3\x03")
    assert str(ID3(files.mp3)["TIT2"]) == "Утро"
    assert rows.record(files.record_id).warnings == []


def test_a_task_gives_way_to_another_user(wav: bytes) -> None:
    _, (running, *_) = stored.store(wav)
    _, (hinted, *_) = stored.store(wav, user_id=rows.job(running).user_id, filename="b.wav")
    rows.claim(running, encoder=encoder_fingerprint())
    _, (single, *_) = stored.store(wav)
    with queue.connect() as redis:
        redis.flushall()
    tasks.run_job(str(hinted))
    assert rows.job(single).state == JobState.DONE
    assert rows.job(hinted).state == JobState.READY
    assert queue.length(queue.SEGMENTS) == 1


def test_a_part_larger_than_reserved_fails_its_record() -> None:
    files, (job_id,) = stored.store(build(sine(60 * 44100)), bitrate_kbps=320, reserved_bytes=1000)
    tasks.run_job(str(job_id))
    record = rows.record(files.record_id)
    assert (record.status, record.error_code) == (RecordStatus.FAILED, "mp3_too_large")
