"""The sweeper on a real database, Valkey and volume, with nobody else at work."""

import json
import signal
import subprocess
import time
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text

from shared import db, media, queue
from shared.db import JobState, RecordStatus, Worker
from shared.media import RecordFiles
from shared.settings import get_settings
from tests.shared.db import rows
from tests.shared.db.rows import db_call
from tests.worker.log_lines import log_lines
from worker import sweep

RETRY = queue.RETRY_QUEUE[queue.SEGMENTS]


@pytest.fixture(autouse=True)
def _settings(database: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_ATTEMPTS", str(rows.MAX_ATTEMPTS))
    get_settings.cache_clear()
    with queue.connect() as redis:
        redis.flushall()


def _sweep(watches: sweep.Watches | None = None) -> None:
    """Sweep once. Without `watches`, every lease has expired."""
    sweep.sweep_rows(get_settings(), watches or _watches(lease_s=0))


def _watches(*, lease_s: float = 3600, file_grace_s: float = 0) -> sweep.Watches:
    return sweep.Watches(lease_s=lease_s, upload_lease_s=lease_s, file_grace_s=file_grace_s)


def _queued(name: str = queue.SEGMENTS) -> list[int]:
    """Return the job ids on a queue, oldest first."""
    with queue.connect() as redis:
        messages = [json.loads(each) for each in redis.lrange(name, 0, -1)[::-1]]
    assert {message["headers"]["task"] for message in messages} <= {queue.RUN_JOB}
    return [int(json.loads(b64decode(message["body"]))[0][0]) for message in messages]


def test_ready_jobs_are_published_after_a_redis_wipe() -> None:
    _, long = rows.add_record(5)
    _, clip = rows.add_record(queue=queue.CLIPS)
    _sweep()
    assert _queued() == long[: rows.IN_FLIGHT]
    assert _queued(queue.CLIPS) == clip


def test_expired_idempotency_keys_are_removed() -> None:
    key = ("alexander", b"key")
    db_call(db.idempotency.take, key, b"request", b"salt")
    _sweep()
    assert db_call(db.idempotency.is_taken, key)
    with db.transaction() as session:
        session.execute(text("UPDATE idempotency_keys SET expires_at = now() - interval '1 s'"))
    _sweep()
    assert not db_call(db.idempotency.is_taken, key)


def test_queued_jobs_are_not_published_again() -> None:
    rows.add_record(5)
    _sweep()
    before = _queued()
    _sweep()
    assert _queued() == before


def test_a_lost_task_comes_back_on_a_busy_queue() -> None:
    waiting = [rows.add_record()[1][0] for _ in range(3)]
    _sweep()
    with queue.connect() as redis:
        assert redis.lpop(queue.SEGMENTS)  # the newest
    (lost,) = set(waiting) - set(_queued())
    for _ in range(20):
        _, (job_id,) = rows.add_record()
        queue.publish(job_id, queue.SEGMENTS)
        _sweep()
        if lost in _queued():
            return
        _take_oldest()
    pytest.fail("the lost task never came again")


def _take_oldest() -> None:
    """Claim the oldest task, as a worker does."""
    with queue.connect() as redis:
        message = json.loads(str(redis.rpop(queue.SEGMENTS), "utf-8"))
    db_call(rows.try_claim, int(json.loads(b64decode(message["body"]))[0][0]))


def test_a_dead_workers_segment_goes_first() -> None:
    _, (job_id, *_) = rows.add_record(5)
    _sweep()
    rows.claim(job_id)
    _sweep()
    assert rows.job(job_id).state == JobState.READY
    assert _queued(RETRY) == [job_id]


def test_a_dead_workers_clip_goes_first() -> None:
    _, (job_id,) = rows.add_record(queue=queue.CLIPS)
    rows.claim(job_id)
    _sweep()
    assert _queued(queue.RETRY_QUEUE[queue.CLIPS]) == [job_id]


def test_a_ready_assembly_is_published_once() -> None:
    record_id = rows.add_encoded()
    for _ in range(3):
        _sweep()
    assert _queued(queue.RETRY_QUEUE[queue.CLIPS]) == [rows.assemble_job(record_id)]


def test_rows_are_swept_while_redis_hangs(redis: subprocess.Popen[bytes]) -> None:
    _, (job_id,) = rows.add_record()
    rows.claim(job_id)
    redis.send_signal(signal.SIGSTOP)
    try:
        _sweep()
    finally:
        redis.send_signal(signal.SIGCONT)
    assert rows.job(job_id).state == JobState.READY
    _sweep()
    assert _queued(RETRY) == [job_id]


def _write(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def _files(record_id: UUID) -> RecordFiles:
    user_id = rows.record(record_id).user_id
    return media.record_files(get_settings().media_dir, user_id, record_id)


def _write_all(files: RecordFiles) -> None:
    _write(files.source, files.part(0, 1), files.mp3, files.peaks)


def _volume() -> set[Path]:
    return {path for path in get_settings().media_dir.rglob("*") if path.is_file()}


def test_an_exhausted_record_keeps_its_source_alone() -> None:
    user_id = rows.add_user()
    record_id, (job_id,) = rows.add_record(user_id=user_id)
    _write(_files(record_id).source, _files(record_id).part(job_id, 1))
    with log_lines(sweep) as lines:
        for _ in range(rows.MAX_ATTEMPTS):
            rows.claim(job_id)
            _sweep()
    assert rows.record(record_id).status == RecordStatus.FAILED
    (failed,) = [line for line in lines if line["event"] == "record failed"]
    assert (failed["code"], failed["user_id"]) == ("encode_failed", str(user_id))
    assert rows.record(record_id).error_code == "encode_failed"
    assert _volume() == {_files(record_id).source}
    assert len(_queued(RETRY)) == rows.MAX_ATTEMPTS - 1
    db_call(rows.reserve, user_id)


def test_an_abandoned_upload_leaves_nothing() -> None:
    user_id = rows.add_user()
    record_id = db_call(rows.reserve, user_id)
    alive = db_call(rows.reserve, user_id, "b.wav")
    _write(_files(record_id).source, _files(alive).source)
    watches = _watches(lease_s=0.1)
    _sweep(watches)
    assert db_call(db.uploads.renew, alive)
    time.sleep(0.1)
    _sweep(watches)
    assert _volume() == {_files(alive).source}
    db_call(rows.reserve, user_id)


def test_an_expired_record_leaves_no_files() -> None:
    expired, kept = rows.add_done(retention_h=-1), rows.add_done()
    _write_all(_files(expired))
    _write_all(_files(kept))
    _sweep()
    assert rows.record(expired).status == RecordStatus.EXPIRED
    assert not list(_files(expired).folder.iterdir())
    assert _files(kept).mp3 in _volume()


def test_long_dead_workers_are_removed() -> None:
    with db.transaction() as session:
        for name in ("alive", "dead"):
            db.workers.report_alive(session, name, "main")
        dead = "UPDATE workers SET seen_at = now() - interval '1 day' WHERE name = 'dead'"
        session.execute(text(dead))
    _sweep()
    with db.transaction() as session:
        assert list(session.scalars(select(Worker.name))) == ["alive"]


def test_concurrent_sweeps_end_like_one() -> None:
    taken = [rows.add_record()[1][0] for _ in range(8)]
    for job_id in taken:
        rows.claim(job_id)
    expired = [rows.add_done(retention_h=-1) for _ in range(8)]
    for record_id in expired:
        _write_all(_files(record_id))
    with ThreadPoolExecutor(4) as threads:
        for sweeping in [threads.submit(_sweep) for _ in range(4)]:
            sweeping.result()
    assert set(_queued(RETRY)) == set(taken)
    assert {rows.job(job_id).state for job_id in taken} == {JobState.READY}
    assert {rows.record(record_id).status for record_id in expired} == {RecordStatus.EXPIRED}
    assert _volume() == set()


def _orphans() -> set[Path]:
    """Write files without a row, and files that their row no longer needs. Return those to be deleted."""
    done, failed, gone = rows.add_done(), rows.add_record()[0], rows.add_done()
    db_call(rows.fail, failed)
    db_call(db.records.mark_gone, gone, RecordStatus.DELETED)
    never = RecordFiles(_files(done).folder, uuid4())
    nobodys = media.record_files(get_settings().media_dir, uuid4(), uuid4())
    for files in (_files(failed), _files(gone), never, nobodys):
        _write_all(files)
    _write_all(_files(done))
    unfinished = _files(done).mp3.with_name(f"{done}.mp3.{uuid4().hex}{media.UNFINISHED}")
    _write(unfinished)
    return _volume() - {_files(done).mp3, _files(done).peaks, _files(failed).source}


def test_orphan_files_are_deleted() -> None:
    orphans = _orphans()
    assert len(orphans) == 4 * 4 - 1 + 2 + 1
    sweep.sweep_files(get_settings(), _watches())
    assert len(_volume()) == 3
    assert not _volume() & orphans


def test_an_orphan_that_changes_is_kept() -> None:
    """A worker may still be writing the file. The file's times do not count, because clocks differ."""
    never = media.record_files(get_settings().media_dir, uuid4(), uuid4())
    _write(never.source, never.mp3, never.peaks)
    watches = _watches(file_grace_s=0.1)
    sweep.sweep_files(get_settings(), watches)
    assert _volume() == {never.source, never.mp3, never.peaks}
    never.mp3.write_bytes(b"more")
    time.sleep(0.1)
    sweep.sweep_files(get_settings(), watches)
    assert _volume() == {never.mp3}
    time.sleep(0.1)
    sweep.sweep_files(get_settings(), watches)
    assert _volume() == set()


def test_files_of_pending_records_are_kept() -> None:
    uploading = db_call(rows.reserve, rows.add_user())
    queued, encoded = rows.add_record()[0], rows.add_encoded()
    rows.claim_assembly(encoded)
    for record_id in (uploading, queued, encoded):
        _write_all(_files(record_id))
    before = _volume()
    sweep.sweep_files(get_settings(), _watches())
    assert _volume() == before


def test_foreign_files_are_kept() -> None:
    volume, files = get_settings().media_dir, _files(rows.add_done())
    _write(
        volume / "notes.txt",
        volume / str(uuid4()),
        volume / f"lost+found/{uuid4()}.wav",
        files.folder / "cover.jpg",
        files.folder / f"{uuid4()}.jpg",
        files.folder / f"{uuid4().hex}.wav",
        files.folder / f"{uuid4()}.wav.bak",
    )
    before = _volume()
    sweep.sweep_files(get_settings(), _watches())
    assert _volume() == before


def test_a_record_without_an_encoder_starts_again() -> None:
    record_id, job_ids = rows.add_record(3)
    db_call(rows.finish, rows.claim(job_ids[0]))
    with db.transaction() as session:
        db.workers.report_alive(session, "new", "main", "another encoder")
    _sweep()
    new = db_call(rows.encode_jobs, record_id)
    assert not set(new) & set(job_ids)
    assert _queued() == new
    assert rows.record(record_id).encoder is None


def _waiting_job() -> int:
    _, (job_id,) = rows.add_record()
    held = rows.claim(job_id)
    with db.transaction() as session:
        assert db.jobs.wait_for_storage(session, held, pause_s=60)
    return job_id


def test_waiting_jobs_run_when_the_volume_is_back() -> None:
    job_id = _waiting_job()
    sweep.end_storage_waits(get_settings())
    assert db_call(db.sweeping.due, queue.SEGMENTS, 10) == []
    (get_settings().media_dir / media.MARKER).touch()
    sweep.end_storage_waits(get_settings())
    assert db_call(db.sweeping.due, queue.SEGMENTS, 10) == [job_id]
    assert {path.name for path in _volume()} == {media.MARKER}


def test_a_database_clock_set_back_delays_no_repair() -> None:
    """If a clock is set back by an hour, times in rows are up to an hour ahead."""
    _, (dead, paused) = rows.add_record(2)
    rows.claim(dead)
    with db.transaction() as session:
        assert db.jobs.requeue(session, rows.claim(paused), pause_s=5)
    with db.transaction() as session:
        session.execute(text("UPDATE jobs SET run_at = run_at + interval '1 hour'"))
    _sweep()
    assert _queued(RETRY) == [dead]
    assert _queued() == [paused]
