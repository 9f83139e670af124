"""A worker takes a job: `claim` counts an attempt, and returns everything that the worker needs.

    ready -> running

The attempt guards each later change of the job by that worker (`jobs.py`). Functions do not commit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select, true, update
from sqlalchemy.orm import Session

from shared.db import records
from shared.db.models import ACTIVE, Job, JobKind, JobState, Record, RecordStatus
from shared.mp3_options import Options, Target, from_stored
from shared.segmentation import SampleRange

DUE = and_(Job.state == JobState.READY, Job.run_at <= func.now())


@dataclass(frozen=True, slots=True)
class EncodedSegment:
    """A finished encode job. `samples` counts the samples of the source, per channel."""

    job_id: int
    attempt: int
    samples: int
    peak_db: float | None
    flaws: dict[str, int] | None


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that a worker holds."""

    job_id: int
    kind: JobKind
    attempt: int
    storage_waits: int
    waited_s: float
    """Seconds between the time when the job could run and its claim."""
    record_id: UUID
    user_id: UUID
    source_bytes: int
    max_part_bytes: int | None
    encoder: str
    sample_range: SampleRange
    options: Options
    target: Target | None
    tags: dict[str, str]
    has_callback: bool
    segments: Sequence[EncodedSegment]
    """The segments that an assemble job joins, in order. Empty for an encode job."""


def claim(session: Session, job_id: int, *, encoder: str, max_attempts: int) -> Claim | None:
    """Take a job that is ready. Return None if it cannot be taken.

    If segments of the record have another encoder than `encoder`, the worker may not encode: its bytes would differ.
    """
    record = session.scalar(
        select(Record)
        .join(Job, Job.record_id == Record.id)
        .where(Job.id == job_id)
        .with_for_update(of=Record, key_share=True)
    )
    if record is None or record.status not in ACTIVE:
        return None
    return _claim(session, record, job_id, encoder, max_attempts)


def claim_assembly(
    session: Session, encoded: Claim, job_id: int, *, max_attempts: int
) -> Claim | None:
    """Take the assemble job of a record in the transaction that ended its last encode job, and so locked the record.

    Return None if it cannot be taken.
    """
    taken = _take(session, job_id, max_attempts)
    if taken is None:
        return None
    job, waited_s = taken
    return replace(
        encoded,
        job_id=job.id,
        kind=JobKind.ASSEMBLE,
        attempt=job.attempt,
        storage_waits=job.storage_waits,
        waited_s=waited_s,
        sample_range=SampleRange(job.start_sample, job.samples),
        segments=_encoded(session, encoded.record_id),
    )


def _claim(
    session: Session, record: Record, job_id: int, encoder: str, max_attempts: int
) -> Claim | None:
    may_encode = or_(Job.kind != JobKind.ENCODE, _may_encode(record, job_id, encoder))
    taken = _take(session, job_id, max_attempts, may_encode)
    if taken is None:
        return None
    job, waited_s = taken
    record_encoder = encoder if job.kind == JobKind.ENCODE else record.encoder or encoder
    if (record.status, record.encoder) != (RecordStatus.CONVERTING, record_encoder):
        new = {"status": RecordStatus.CONVERTING, "encoder": record_encoder}
        records.change(session, record.id, **new)
    return _describe(session, record, job, record_encoder, waited_s)


def _take(
    session: Session, job_id: int, max_attempts: int, *guards: ColumnElement[bool]
) -> tuple[Job, float] | None:
    """Change a job to running. Return it, and how long it could have run."""
    taken = session.execute(
        update(Job)
        .where(
            Job.id == job_id,
            records.CONVERTS,
            DUE,
            Job.attempt - Job.storage_waits < max_attempts,
            *guards,
        )
        .values(
            state=JobState.RUNNING,
            attempt=Job.attempt + 1,
            encoded_samples=0,
        )
        .returning(Job, func.extract("epoch", func.now() - Job.run_at))
        # The session may still hold the row from before the UPDATE.
        .execution_options(synchronize_session=False, populate_existing=True)
    ).one_or_none()
    return None if taken is None else (taken[0], float(taken[1]))


def _describe(session: Session, record: Record, job: Job, encoder: str, waited_s: float) -> Claim:
    return Claim(
        job_id=job.id,
        kind=JobKind(job.kind),
        attempt=job.attempt,
        storage_waits=job.storage_waits,
        waited_s=waited_s,
        record_id=record.id,
        user_id=record.user_id,
        source_bytes=record.source_bytes or 0,
        max_part_bytes=record.reserved_bytes or None,
        encoder=encoder,
        sample_range=SampleRange(job.start_sample, job.samples),
        options=from_stored(Options, record.options),
        target=None if record.target is None else from_stored(Target, record.target),
        tags=record.tags,
        has_callback=record.callback_url is not None,
        segments=_encoded(session, record.id) if job.kind == JobKind.ASSEMBLE else (),
    )


def _may_encode(record: Record, job_id: int, encoder: str) -> ColumnElement[bool]:
    if record.encoder == encoder:
        return true()
    others = select(Job.id).where(
        Job.record_id == record.id,
        Job.id != job_id,
        Job.kind == JobKind.ENCODE,
        Job.state.in_((JobState.RUNNING, JobState.DONE)),
    )
    return ~others.exists()


def _encoded(session: Session, record_id: UUID) -> list[EncodedSegment]:
    rows = session.execute(
        select(Job.id, Job.attempt, Job.samples, Job.peak_db, Job.flaws)
        .where(Job.record_id == record_id, Job.kind == JobKind.ENCODE, Job.state == JobState.DONE)
        .order_by(Job.index)
    )
    return [EncodedSegment(*row) for row in rows]
