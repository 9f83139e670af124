"""A worker takes a job: `claim` counts an attempt, and returns everything that the worker needs.

    ready -> running

The attempt guards each later change of the job by that worker (`jobs.py`). Functions do not commit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import (
    Boolean,
    Float,
    Text,
    and_,
    bindparam,
    cast,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session, aliased

from shared.db import records
from shared.db.models import ACTIVE, JOBS, Job, JobKind, JobState, Record, RecordStatus
from shared.mp3_options import Options, Target, from_stored
from shared.segmentation import SampleRange

DUE = and_(Job.state == JobState.READY, Job.run_at <= func.now())

# Statements of every conversion. Building one takes as long as running it, so each is built once.
_LOCKED_RECORD = (
    select(Record)
    .join(Job, Job.record_id == Record.id)
    .where(Job.id == bindparam("job_id"))
    .with_for_update(of=Record, key_share=True)
)
_OTHER = aliased(Job)
# Their parts have the encoder of the record.
_BEGUN = select(_OTHER.id).where(
    _OTHER.record_id == Job.record_id,
    _OTHER.kind == JobKind.ENCODE,
    _OTHER.state.in_((JobState.RUNNING, JobState.DONE)),
)
_TAKE = (
    update(JOBS)
    .where(
        Job.id == bindparam("this_job"),
        records.CONVERTS,
        DUE,
        Job.attempt - Job.storage_waits < bindparam("max_attempts"),
        or_(Job.kind != JobKind.ENCODE, bindparam("has_encoder", type_=Boolean), ~_BEGUN.exists()),
    )
    .values(state=JobState.RUNNING, attempt=Job.attempt + 1, encoded_samples=0)
    .returning(
        Job.id,
        Job.kind,
        Job.attempt,
        Job.storage_waits,
        Job.start_sample,
        Job.samples,
        cast(func.extract("epoch", func.now() - Job.run_at), Float),
    )
)
_CONVERT = records.change_of(
    status=RecordStatus.CONVERTING, encoder=bindparam("new_encoder", type_=Text)
)
_ENCODED = (
    select(Job.id, Job.attempt, Job.samples, Job.peak_db, Job.flaws)
    .where(
        Job.record_id == bindparam("record_id"),
        Job.kind == JobKind.ENCODE,
        Job.state == JobState.DONE,
    )
    .order_by(Job.index)
)


class _Taken(NamedTuple):
    """The columns that `_TAKE` returns."""

    id: int
    kind: str
    attempt: int
    storage_waits: int
    start_sample: int
    samples: int
    waited_s: float


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
    record = session.scalar(_LOCKED_RECORD, {"job_id": job_id})
    if record is None or record.status not in ACTIVE:
        return None
    return _claim(session, record, job_id, encoder, max_attempts)


def claim_assembly(
    session: Session, encoded: Claim, job_id: int, *, max_attempts: int
) -> Claim | None:
    """Take the assemble job of a record in the transaction that ended its last encode job, and so locked the record.

    Return None if it cannot be taken.
    """
    job = _take(session, job_id, max_attempts)
    if job is None:
        return None
    return replace(
        encoded,
        job_id=job.id,
        kind=JobKind.ASSEMBLE,
        attempt=job.attempt,
        storage_waits=job.storage_waits,
        waited_s=job.waited_s,
        sample_range=SampleRange(job.start_sample, job.samples),
        segments=_encoded(session, encoded.record_id),
    )


def _claim(
    session: Session, record: Record, job_id: int, encoder: str, max_attempts: int
) -> Claim | None:
    job = _take(session, job_id, max_attempts, has_encoder=record.encoder == encoder)
    if job is None:
        return None
    record_encoder = encoder if job.kind == JobKind.ENCODE else record.encoder or encoder
    if (record.status, record.encoder) != (RecordStatus.CONVERTING, record_encoder):
        records.apply(session, record.id, _CONVERT, new_encoder=record_encoder)
    return _describe(session, record, job, record_encoder)


def _take(
    session: Session, job_id: int, max_attempts: int, *, has_encoder: bool = False
) -> _Taken | None:
    """Change a job to running. `has_encoder`: the record's segments have the encoder of this worker."""
    parameters = {"this_job": job_id, "max_attempts": max_attempts, "has_encoder": has_encoder}
    taken = session.execute(_TAKE, parameters).one_or_none()
    return None if taken is None else _Taken(*taken)


def _describe(session: Session, record: Record, job: _Taken, encoder: str) -> Claim:
    return Claim(
        job_id=job.id,
        kind=JobKind(job.kind),
        attempt=job.attempt,
        storage_waits=job.storage_waits,
        waited_s=job.waited_s,
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


def _encoded(session: Session, record_id: UUID) -> list[EncodedSegment]:
    return [EncodedSegment(*row) for row in session.execute(_ENCODED, {"record_id": record_id})]
