"""The Celery task that runs a job: claim it, do the work, finish it.

A task that cannot claim its job does nothing: it arrived twice, or the record is gone. A job whose attempt failed
becomes ready again, and the sweeper publishes it; after the last attempt its record fails, with a reason.
"""

import errno
import os
from typing import BinaryIO

import structlog
from sqlalchemy.orm import Session

from shared import db, media, queue, wav
from shared.db import JobKind
from shared.errors import BadWav, EncodeFailed, LeaseLost, NoSpace, NotAWav, Wav2mp3Error
from shared.mp3_options import Target, choose_target
from shared.queue import app
from shared.settings import Settings, get_settings
from worker import heartbeat, sweep
from worker.audio import Limits, Segment, encoder_fingerprint, own_core, write_part
from worker.lease import Lease
from worker.mp3 import write_mp3

__all__ = ["app", "heartbeat"]

Claim = db.jobs.Claim

MIN_TIMEOUT_S = 60
"""Encoding times out after this and the duration of the audio: dozens of times longer than it normally takes."""

MAX_PAUSE_S = 60

log = structlog.get_logger(__name__)


@app.task(name=queue.RUN_JOB)
def run_job(job_id: str) -> None:
    settings = get_settings()
    with db.transaction() as session:
        claim = _claim(session, int(job_id), settings)
    while claim is not None:
        claim = _run(claim, settings)


def _claim(session: Session, job_id: int, settings: Settings) -> Claim | None:
    return db.jobs.claim(
        session,
        job_id,
        encoder=encoder_fingerprint(),
        max_attempts=settings.max_attempts,
        lease_s=settings.lease_s,
    )


def _run(claim: Claim, settings: Settings) -> Claim | None:
    """Run a job. Return the claim of the job that this worker runs next, if there is one."""
    work = {JobKind.ENCODE: _encode, JobKind.ASSEMBLE: _assemble}[claim.kind]
    try:
        return work(claim, settings)
    except LeaseLost:
        log.info("lease lost", **_log_fields(claim))
        media.delete(_files(claim, settings).part(claim.job_id, claim.attempt))
    except Exception as error:
        log.exception("attempt failed", **_log_fields(claim))
        with db.transaction() as session:
            _requeue_or_fail(session, claim, error, settings)
    sweep.delete_unneeded(settings, claim.user_id, claim.record_id)
    return None


def _encode(claim: Claim, settings: Settings) -> Claim | None:
    files = _files(claim, settings)
    encoded_samples = 0

    def renew() -> bool:
        with db.transaction() as session:
            return db.jobs.renew(
                session, claim, lease_s=settings.lease_s, encoded_samples=encoded_samples
            )

    def report(samples: int) -> None:
        nonlocal encoded_samples
        encoded_samples = samples

    with Lease(renew, settings.lease_s) as lease, files.source.open("rb") as source:
        segment = Segment(*_read(source, claim), claim.sample_range)
        limits = _limits(segment, lease, settings)
        with media.publishing(files.part(claim.job_id, claim.attempt)) as part:
            samples = write_part(source, segment, part, limits, report)
    return _finish_encode(claim, samples, settings)


def _limits(segment: Segment, lease: Lease, settings: Settings) -> Limits:
    timeout_s = MIN_TIMEOUT_S + segment.sample_range.samples / segment.info.fmt.sample_rate_hz
    source_samples = segment.info.samples
    is_split = source_samples is not None and segment.sample_range.samples < source_samples
    core = own_core() if is_split and _is_the_only_worker() else None
    return Limits(settings.ffmpeg_memory_bytes, timeout_s, lease.check, core)


def _is_the_only_worker() -> bool:
    with db.transaction() as session:
        return len(db.workers.alive(session, "main")) == 1


def _finish_encode(claim: Claim, samples: int, settings: Settings) -> Claim | None:
    with db.transaction() as session:
        if not db.jobs.finish_encode(session, claim, samples=samples):
            raise LeaseLost
        released = db.jobs.release_next(session, claim.record_id)
        assembly = None if released else db.jobs.release_assembly(session, claim.record_id)
        next_claim = _claim(session, assembly.id, settings) if assembly else None
    log.info("segment encoded", **_log_fields(claim))
    if released:
        queue.publish(released.id, released.queue)
    return next_claim


def _assemble(claim: Claim, settings: Settings) -> None:
    files = _files(claim, settings)

    def renew() -> bool:
        with db.transaction() as session:
            return db.jobs.renew(session, claim, lease_s=settings.lease_s)

    with db.transaction() as session:
        segments = db.jobs.encoded_segments(session, claim.record_id)
    samples = sum(segment.samples for segment in segments)
    parts = [files.part(segment.job_id, segment.attempt) for segment in segments]
    with Lease(renew, settings.lease_s) as lease, files.source.open("rb") as source:
        info, target = _read(source, claim)
        with media.publishing(files.mp3) as mp3:
            write_mp3(source, info, target, samples, parts, claim.tags, mp3, lease.check)
            mp3_bytes = mp3.tell()
    with db.transaction() as session:
        done = db.jobs.finish_assembly(
            session,
            claim,
            mp3_bytes=mp3_bytes,
            duration_s=samples / info.fmt.sample_rate_hz,
            retention_h=settings.retention_h,
        )
    if not done:
        raise LeaseLost
    log.info("record done", mp3_bytes=mp3_bytes, **_log_fields(claim))
    media.delete_work(files)


def _files(claim: Claim, settings: Settings) -> media.RecordFiles:
    return media.record_files(settings.media_dir, claim.user_id, claim.record_id)


def _read(source: BinaryIO, claim: Claim) -> tuple[wav.WavInfo, Target]:
    info = wav.read_wav(source, os.fstat(source.fileno()).st_size)
    return info, claim.target or choose_target(info, claim.options)


def _requeue_or_fail(session: Session, claim: Claim, error: Exception, settings: Settings) -> None:
    is_last = isinstance(error, BadWav | NotAWav) or claim.attempt >= settings.max_attempts
    # A volume that is full or unmounted may come back: each attempt waits longer for that.
    pause_s = settings.lease_s * claim.attempt if isinstance(error, OSError) else 0
    if db.jobs.requeue(session, claim, pause_s=min(pause_s, MAX_PAUSE_S)) and is_last:
        db.records.fail(session, claim.record_id, _reason(error), retention_h=settings.retention_h)


def _reason(error: Exception) -> Wav2mp3Error:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoSpace()
    return error if isinstance(error, Wav2mp3Error) else EncodeFailed()


def _log_fields(claim: Claim) -> dict[str, str | int]:
    return {
        "record_id": str(claim.record_id),
        "job_id": claim.job_id,
        "kind": claim.kind,
        "attempt": claim.attempt,
    }
