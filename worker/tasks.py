"""The Celery task that runs a job: claim it, do the work, finish it.

A task that cannot claim its job does nothing: it arrived twice, or the record is gone. A job whose attempt failed
becomes ready again, and the sweeper publishes it; after the last attempt its record fails, with a reason. An error of
the media volume is not an attempt: the job waits until the volume is back.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import BinaryIO, NamedTuple

import structlog
from sqlalchemy.orm import Session

from shared import db, media, queue, wav
from shared.db import JobKind, RecordStatus
from shared.errors import LeaseLost, Mp3TooLarge, SourceLost
from shared.mp3_options import Target, choose_target
from shared.queue import app
from shared.settings import Settings, get_settings
from worker import failed_attempts, unneeded_files, waveforms
from worker.audio import (
    Encoded,
    Limits,
    Peaks,
    Segment,
    encoder_fingerprint,
    encoder_name,
    flaw_warnings,
    own_core,
    peak_warnings,
    write_part,
)
from worker.failed_attempts import log_fields
from worker.fair_claims import claim_fairly
from worker.lease import Lease
from worker.mp3 import write_mp3

Claim = db.claims.Claim
EncodedSegment = db.claims.EncodedSegment
Read = tuple[wav.WavInfo, Target]

MIN_TIMEOUT_S = 60
"""Encoding times out after this plus the duration of the audio: dozens of times longer than it normally takes."""

log = structlog.get_logger(__name__)


class Work(NamedTuple):
    """A claimed job, and the result of reading its source, if this process has just read it."""

    claim: Claim
    read: Read | None = None


@app.task(name=queue.RUN_JOB)
def run_job(job_id: str) -> None:
    settings = get_settings()
    claim = claim_fairly(int(job_id), lambda session, job_id: _claim(session, job_id, settings))
    work = Work(claim) if claim else None
    while work:
        work = _run(work, settings)


def _claim(session: Session, job_id: int, settings: Settings) -> Claim | None:
    return db.claims.claim(
        session, job_id, encoder=encoder_fingerprint(), max_attempts=settings.max_attempts
    )


def _run(work: Work, settings: Settings) -> Work | None:
    """Run a job. Return the one that this process runs next, if there is one."""
    claim = work.claim
    run = {JobKind.ENCODE: _encode, JobKind.ASSEMBLE: _assemble}[claim.kind]
    try:
        return run(work, settings)
    except LeaseLost:
        log.info("lease lost", **log_fields(claim))
        _delete_part(claim, settings)
    except OSError as error:
        failed_attempts.wait_for_storage(claim, error)
    except Exception as error:  # noqa: BLE001 -- it is logged, and another attempt may succeed
        failed_attempts.end(claim, error, settings)
    _publish_deliveries(claim)
    unneeded_files.delete_unneeded(settings, claim.user_id, claim.record_id)
    return None


def _encode(work: Work, settings: Settings) -> Work | None:
    began_s = time.monotonic()
    claim = work.claim
    files = _files(claim, settings)
    encoded_samples = 0

    def renew() -> bool:
        with db.transaction() as session:
            return db.jobs.renew(session, claim, encoded_samples=encoded_samples)

    def report(samples: int) -> None:
        nonlocal encoded_samples
        encoded_samples = samples

    with Lease(renew, settings.lease_s) as lease, _source(claim, settings) as source:
        read = _read(source, claim)
        segment = Segment(*read, claim.sample_range)
        files.parts.mkdir(exist_ok=True)
        with media.completing(files.part(claim.job_id, claim.attempt)) as part:

            def check() -> None:
                lease.check()
                if claim.max_part_bytes and part.tell() > claim.max_part_bytes:
                    raise Mp3TooLarge(claim.max_part_bytes)

            limits = _limits(segment, check, settings)
            peaks = Peaks(segment.info)
            encoded = write_part(source, segment, part, limits, report, peaks)
            # Before the part gets its name, so that every part has its peaks.
            with media.completing(files.part_peaks(claim.job_id, claim.attempt)) as file:
                file.write(peaks.to_bytes())
    next_claim = _finish_encode(claim, encoded, settings, began_s)
    return Work(next_claim, read) if next_claim else None


def _limits(segment: Segment, check: Callable[[], None], settings: Settings) -> Limits:
    timeout_s = MIN_TIMEOUT_S + segment.sample_range.samples / segment.info.fmt.sample_rate_hz
    source_samples = segment.info.samples
    is_split = source_samples is not None and segment.sample_range.samples < source_samples
    core = own_core() if is_split and _is_the_only_worker() else None
    return Limits(settings.ffmpeg_memory_bytes, timeout_s, check, core)


def _is_the_only_worker() -> bool:
    with db.transaction() as session:
        return len(db.workers.alive(session, "main")) == 1


def _finish_encode(
    claim: Claim, encoded: Encoded, settings: Settings, began_s: float
) -> Claim | None:
    with db.transaction() as session:
        if not db.jobs.finish_encode(session, claim, **asdict(encoded)):
            raise LeaseLost
        released = db.jobs.release_next(session, claim.record_id)
        next_claim = None
        if released and released.kind == JobKind.ASSEMBLE:
            next_claim = db.claims.claim_assembly(
                session, claim, released.id, max_attempts=settings.max_attempts
            )
    log.info("segment encoded", **_times(claim, began_s), **log_fields(claim))
    if released and not next_claim:
        queue.publish(released.id, released.queue)
    return next_claim


def _assemble(work: Work, settings: Settings) -> None:
    began_s = time.monotonic()
    claim = work.claim
    files = _files(claim, settings)

    def renew() -> bool:
        with db.transaction() as session:
            return db.jobs.renew(session, claim)

    samples = sum(each.samples for each in claim.segments)
    parts = {each.job_id: files.part(each.job_id, each.attempt) for each in claim.segments}
    with Lease(renew, settings.lease_s) as lease, _source(claim, settings) as source:
        if missing := media.missing(settings.media_dir, parts.values()):
            lost = [job_id for job_id, part in parts.items() if part in missing]
            _repeat_encoding(claim, lost)
            return
        info, target = work.read or _read(source, claim)
        waveforms.write(settings.media_dir, files, claim.segments, info)
        with media.completing_durably(files.mp3) as mp3:
            tag_warnings = write_mp3(
                source,
                info,
                target,
                samples,
                [*parts.values()],
                claim.options,
                claim.tags,
                encoder_name(claim.encoder),
                mp3,
                lease.check,
            )
            mp3_bytes = mp3.tell()
    duration_s = samples / info.fmt.sample_rate_hz
    warnings = [*_audio_warnings(claim.segments, info, target, samples), *tag_warnings]
    _finish_assembly(claim, mp3_bytes, duration_s, warnings, settings, began_s)
    unneeded_files.delete_files(files, RecordStatus.DONE)


def _finish_assembly(
    claim: Claim,
    mp3_bytes: int,
    duration_s: float,
    warnings: Sequence[str],
    settings: Settings,
    began_s: float,
) -> None:
    with db.transaction() as session:
        done = db.jobs.finish_assembly(
            session,
            claim,
            mp3_bytes=mp3_bytes,
            duration_s=duration_s,
            retention_h=settings.retention_h,
            warnings=warnings,
        )
    if not done:
        raise LeaseLost
    log.info("record done", mp3_bytes=mp3_bytes, **_times(claim, began_s), **log_fields(claim))
    _publish_deliveries(claim)


def _audio_warnings(
    segments: Sequence[EncodedSegment], info: wav.WavInfo, target: Target, samples: int
) -> list[str]:
    return [
        *flaw_warnings((each.flaws for each in segments), info.fmt.sample_rate_hz, samples),
        *peak_warnings((each.peak_db for each in segments), target),
    ]


def _repeat_encoding(claim: Claim, job_ids: list[int]) -> None:
    log.warning("parts vanished", job_ids=job_ids, **log_fields(claim))
    with db.transaction() as session:
        if not db.jobs.repeat_encoding(session, claim, job_ids):
            raise LeaseLost


def _files(claim: Claim, settings: Settings) -> media.RecordFiles:
    return media.record_files(settings.media_dir, claim.user_id, claim.record_id)


@contextmanager
def _source(claim: Claim, settings: Settings) -> Iterator[BinaryIO]:
    """Open the source. Raise SourceLost if it vanished or changed, and OSError if its volume did."""
    source = media.open_source(settings.media_dir, _files(claim, settings).source)
    if source is None:
        raise SourceLost
    with source:
        if os.fstat(source.fileno()).st_size != claim.source_bytes:
            raise SourceLost
        yield source


def _read(source: BinaryIO, claim: Claim) -> Read:
    info = wav.read_wav(source, claim.source_bytes)
    return info, claim.target or choose_target(info, claim.options)


def _publish_deliveries(claim: Claim) -> None:
    """Publish the deliveries of a record that just changed. Otherwise the sweeper would do so a little later."""
    if not claim.has_callback:
        return
    with db.transaction() as session:
        due = db.deliveries.due(session, claim.record_id)
    for job_id in due:
        queue.publish(job_id, queue.DELIVERIES)


def _delete_part(claim: Claim, settings: Settings) -> None:
    files = _files(claim, settings)
    try:
        media.delete(files.part(claim.job_id, claim.attempt))
        media.delete(files.part_peaks(claim.job_id, claim.attempt))
    except OSError as error:
        log.warning("part not deleted", error=str(error), **log_fields(claim))


def _times(claim: Claim, began_s: float) -> dict[str, float]:
    took_s = time.monotonic() - began_s
    return {"waited_s": round(claim.waited_s, 3), "took_s": round(took_s, 3)}
