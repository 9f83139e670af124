"""The Celery tasks: claim, do, finish. `python -m worker` starts a worker.

A task that finds nothing to claim does nothing: it came twice, or its record is gone. One that fails gives its
claim back, and the sweeper brings it again a little later; after the last attempt the record fails, with a
reason.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from shared import db, media, queue, wav
from shared.errors import BadWav, EncodeFailed, LeaseLost, NoSpace, NotAWav, Wav2mp3Error
from shared.mp3_options import Target, choose_target
from shared.queue import app
from shared.settings import Settings, get_settings
from worker import heartbeat, sweep
from worker.audio import Job, Limits, own_core, write_part
from worker.lease import Lease
from worker.mp3 import write_mp3

__all__ = ["app", "heartbeat"]

SegmentClaim = db.segments.SegmentClaim
AssemblyClaim = db.assemblies.AssemblyClaim
Claim = SegmentClaim | AssemblyClaim

LEAST_TIMEOUT_S = 60
"""Encoding may take this and as long as the audio lasts: dozens of times what it needs."""

LONGEST_PAUSE_S = 60

log = structlog.get_logger(__name__)


@app.task(name=queue.ENCODE_SEGMENT)
def encode_segment(segment_id: str) -> None:
    settings = get_settings()
    with db.transaction() as session:
        claim = db.segments.claim(
            session, int(segment_id), max_attempts=settings.max_attempts, lease_s=settings.lease_s
        )
    if claim is not None:
        with _giving_back(claim, settings):
            _finish_segment(claim, _encode(claim, settings), settings)


@app.task(name=queue.ASSEMBLE)
def assemble(record_id: str) -> None:
    settings = get_settings()
    with db.transaction() as session:
        claim = _claim_assembly(session, UUID(record_id), settings)
    if claim is not None:
        with _giving_back(claim, settings):
            _assemble(claim, settings)


def _encode(claim: SegmentClaim, settings: Settings) -> int:
    files = _files(claim, settings)
    encoded_samples = 0

    def renew() -> bool:
        with db.transaction() as session:
            return db.segments.renew(
                session, claim, encoded_samples=encoded_samples, lease_s=settings.lease_s
            )

    def report(samples: int) -> None:
        nonlocal encoded_samples
        encoded_samples = samples

    with Lease(renew, settings.lease_s) as lease, files.source.open("rb") as source:
        job = Job(*_read(source, claim), claim.stretch)
        timeout_s = LEAST_TIMEOUT_S + claim.stretch.samples / job.info.sample_rate_hz
        is_split = job.info.samples is not None and claim.stretch.samples < job.info.samples
        core = own_core() if is_split and _is_the_only_worker() else None
        limits = Limits(settings.ffmpeg_memory_bytes, timeout_s, lease.check, core)
        with media.publishing(files.part(claim.index, claim.attempt)) as part:
            return write_part(source, job, part, limits, report)


def _finish_segment(claim: SegmentClaim, samples: int, settings: Settings) -> None:
    with db.transaction() as session:
        finished = db.segments.finish(
            session, claim, samples=samples, in_flight=settings.segments_in_flight
        )
        if finished is None:
            raise LeaseLost
        assembly = (
            _claim_assembly(session, claim.record_id, settings) if finished.all_done else None
        )
    log.info("segment encoded", **_about(claim))
    if finished.due is not None:
        queue.publish(queue.ENCODE_SEGMENT, finished.due.id, finished.due.queue)
    if assembly is not None:
        with _giving_back(assembly, settings):
            _assemble(assembly, settings)


def _is_the_only_worker() -> bool:
    with db.transaction() as session:
        return len(db.workers.alive(session, "main")) == 1


def _claim_assembly(session: Session, record_id: UUID, settings: Settings) -> AssemblyClaim | None:
    return db.assemblies.claim(
        session, record_id, max_attempts=settings.max_attempts, lease_s=settings.lease_s
    )


def _assemble(claim: AssemblyClaim, settings: Settings) -> None:
    files = _files(claim, settings)

    def renew() -> bool:
        with db.transaction() as session:
            return db.assemblies.renew(session, claim, settings.lease_s)

    samples = sum(part.samples for part in claim.parts)
    parts = [files.part(part.index, part.attempt) for part in claim.parts]
    with Lease(renew, settings.lease_s) as lease, files.source.open("rb") as source:
        info, target = _read(source, claim)
        with media.publishing(files.mp3) as mp3:
            write_mp3(source, info, target, samples, parts, claim.tags, mp3, lease.check)
            mp3_bytes = mp3.tell()
    with db.transaction() as session:
        done = db.assemblies.complete(
            session,
            claim,
            mp3_bytes=mp3_bytes,
            duration_s=samples / info.sample_rate_hz,
            retention_h=settings.retention_h,
        )
    if not done:
        raise LeaseLost
    log.info("record done", mp3_bytes=mp3_bytes, **_about(claim))
    media.delete_work(files)


def _files(claim: Claim, settings: Settings) -> media.RecordFiles:
    return media.record_files(settings.media_dir, claim.user_id, claim.record_id)


def _read(source: BinaryIO, claim: Claim) -> tuple[wav.WavInfo, Target]:
    info = wav.read_wav(source, os.fstat(source.fileno()).st_size)
    return info, choose_target(info, claim.options)


@contextmanager
def _giving_back(claim: Claim, settings: Settings) -> Iterator[None]:
    """Work on a claim; whatever goes wrong with it, it may be tried again, or its record fails."""
    try:
        yield
    except LeaseLost:
        log.info("lost or cancelled", **_about(claim))
        if isinstance(claim, SegmentClaim):
            media.delete(_files(claim, settings).part(claim.index, claim.attempt))
    except Exception as error:
        log.exception("attempt failed", **_about(claim))
        with db.transaction() as session:
            if _is_hopeless(claim, error, settings):
                if _give_back(session, claim):
                    reason = _reason(error)
                    db.records.fail(
                        session, claim.record_id, reason, retention_h=settings.retention_h
                    )
            elif isinstance(error, OSError):
                # A disk that is full or away may be back: the next attempt has to wait for that, each time longer.
                _keep(session, claim, min(settings.lease_s * claim.attempt, LONGEST_PAUSE_S))
            else:
                _give_back(session, claim)
    else:
        return
    sweep.delete_unneeded(settings, claim.user_id, claim.record_id)


def _about(claim: Claim) -> dict[str, str | int]:
    about: dict[str, str | int] = {"record_id": str(claim.record_id), "attempt": claim.attempt}
    return about | ({"index": claim.index} if isinstance(claim, SegmentClaim) else {})


def _keep(session: Session, claim: Claim, lease_s: float) -> bool:
    if isinstance(claim, SegmentClaim):
        return db.segments.renew(session, claim, encoded_samples=0, lease_s=lease_s)
    return db.assemblies.renew(session, claim, lease_s)


def _give_back(session: Session, claim: Claim) -> bool:
    if isinstance(claim, SegmentClaim):
        return db.segments.give_back(session, claim)
    return db.assemblies.give_back(session, claim)


def _is_hopeless(claim: Claim, error: Exception, settings: Settings) -> bool:
    return isinstance(error, BadWav | NotAWav) or claim.attempt >= settings.max_attempts


def _reason(error: Exception) -> Wav2mp3Error:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoSpace()
    return error if isinstance(error, Wav2mp3Error) else EncodeFailed()
