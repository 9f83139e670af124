"""Every change of a job's state. Each is one guarded UPDATE, by the database's clock.

    held -> ready -> running -> done | failed;  running -> ready (the attempt failed, or its lease expired)

A claim (`claims.py`) counts an attempt and gives a lease. That attempt guards each later change by the worker, so a
worker that lost its lease, or whose record was deleted, changes nothing. A worker renews its lease by counting
`renewals` up. The sweeper requeues the job when that number has not changed for a while, measured by its own monotonic
clock, because the wall clocks of machines differ and jump.

Functions take the session of a running transaction and do not commit. A function that changes a record and its jobs
locks the record first, so that no two of them can deadlock.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Update, bindparam, func, insert, or_, select, update
from sqlalchemy.orm import Session

from shared.db import records
from shared.db.claims import Claim
from shared.db.models import JOBS, UNFINISHED_JOB, Job, JobKind, JobState, Record
from shared.segmentation import SampleRange

STORAGE = "storage"
MAX_PAUSE_S = 60
"""The longest that `wait_for_storage` may pause a job."""
MAX_DELIVERY_PAUSE_S = 9 * 3600
"""The longest that `deliveries.mark_failed` may pause a job."""


class ReadyJob(NamedTuple):
    id: int
    kind: str
    queue: str


def change_of(*guards: ColumnElement[bool], **values: Any) -> Update:
    """Build a change of a job that a worker claimed. `apply` makes it."""
    return (
        update(JOBS)
        .where(
            Job.id == bindparam("this_job"),
            Job.attempt == bindparam("this_attempt"),
            Job.state == JobState.RUNNING,
            *guards,
        )
        .values(values)
        .returning(records.notify_change(Job.record_id))
    )


def apply(session: Session, job_id: int, attempt: int, changing: Update, **parameters: Any) -> bool:
    """Make a change of `change_of`. Return False when the worker lost its lease."""
    this = {"this_job": job_id, "this_attempt": attempt}
    return session.execute(changing, this | parameters).first() is not None


# Statements of every conversion. Building one takes as long as running it, so each is built once.
_INSERT = insert(JOBS).returning(JOBS.c.id, sort_by_parameter_order=True)
_LOCKED = (
    select(Record.id)
    .where(Record.id == bindparam("this_record"))
    .with_for_update(of=Record, key_share=True)
    .cte("locked")
)
_RECORD_IS_LOCKED = Job.record_id == _LOCKED.c.id
"""A guard that locks the record before the job is changed."""
_FINISH_ENCODE = change_of(
    _RECORD_IS_LOCKED,
    state=JobState.DONE,
    samples=bindparam("new_samples"),
    encoded_samples=bindparam("new_samples"),
    waiting_for=None,
    peak_db=bindparam("new_peak_db"),
    flaws=bindparam("new_flaws"),
)
_FINISH_ASSEMBLY = change_of(_RECORD_IS_LOCKED, state=JobState.DONE, waiting_for=None)
_FIRST_HELD = (
    select(Job.id)
    .where(Job.record_id == bindparam("this_record"), Job.state == JobState.HELD)
    .order_by(Job.kind == JobKind.ASSEMBLE, Job.index)
    .limit(1)
)
_ENCODING = select(Job.id).where(
    Job.record_id == bindparam("this_record"),
    Job.kind == JobKind.ENCODE,
    Job.state.in_(UNFINISHED_JOB),
)
_RELEASE_NEXT = (
    update(JOBS)
    .where(
        Job.id == _FIRST_HELD.scalar_subquery(),
        or_(Job.kind == JobKind.ENCODE, ~_ENCODING.exists()),
    )
    .values(state=JobState.READY, run_at=func.now())
    .returning(Job.id, Job.kind, Job.queue)
)


def create(
    session: Session,
    record_id: UUID,
    user_id: UUID,
    sample_ranges: Sequence[SampleRange],
    *,
    queue: str,
    assemble_queue: str,
    in_flight: int,
    is_long: bool = False,
) -> list[int]:
    """Create the jobs of a record. Return the ids of the encode jobs that are ready, in order."""
    encode: list[dict[str, object]] = [
        {
            "kind": JobKind.ENCODE,
            "index": index,
            "start_sample": sample_range.start_sample,
            "samples": sample_range.samples,
            "queue": queue,
            "is_long": is_long,
            "state": JobState.READY if index < in_flight else JobState.HELD,
        }
        for index, sample_range in enumerate(sample_ranges)
    ]
    assemble: dict[str, object] = {
        "kind": JobKind.ASSEMBLE,
        "index": 0,
        "start_sample": 0,
        "samples": 0,
        "queue": assemble_queue,
        "is_long": False,
        "state": JobState.HELD,
    }
    of_record: dict[str, object] = {"record_id": record_id, "user_id": user_id}
    ids = session.scalars(_INSERT, [of_record | job for job in (*encode, assemble)])
    return list(ids)[: min(in_flight, len(encode))]


def renew(session: Session, claimed: Claim, *, encoded_samples: int | None = None) -> bool:
    """Keep the lease, and report progress. Return False when the lease was lost."""
    records.use_async_commit(session)
    progress = {} if encoded_samples is None else {"encoded_samples": encoded_samples}
    renewal = change_of(renewals=Job.renewals + 1, waiting_for=None, **progress)
    return apply(session, claimed.job_id, claimed.attempt, renewal)


def requeue(session: Session, claimed: Claim, *, pause_s: float = 0) -> bool:
    """Make the job ready again, after a pause. Return False when the lease was lost."""
    run_at = records.from_now(pause_s)
    again = change_of(_RECORD_IS_LOCKED, state=JobState.READY, run_at=run_at, waiting_for=None)
    return _lock_and_apply(session, claimed, again)


def wait_for_storage(session: Session, claimed: Claim, *, pause_s: float) -> bool:
    """Make the job ready again after a pause, without counting the attempt: the media volume failed, not the job.

    Return False when the lease was lost.
    """
    wait = change_of(
        _RECORD_IS_LOCKED,
        state=JobState.READY,
        run_at=records.from_now(pause_s),
        waiting_for=STORAGE,
        storage_waits=Job.storage_waits + 1,
    )
    return _lock_and_apply(session, claimed, wait)


def finish_encode(
    session: Session,
    claimed: Claim,
    *,
    samples: int,
    peak_db: float | None = None,
    flaws: dict[str, int] | None = None,
) -> bool:
    """Mark an encode job as done: its part is durable and holds `samples` of the source.

    Return False when the lease was lost.
    """
    # Two workers may finish the last two segments at once. The lock lets one of them see that all are done.
    found = {"new_samples": samples, "new_peak_db": peak_db, "new_flaws": flaws}
    return _lock_and_apply(session, claimed, _FINISH_ENCODE, **found)


def release_next(session: Session, record_id: UUID) -> ReadyJob | None:
    """Make the first held job of a record ready. The assemble job comes last, when all encode jobs are done."""
    released = session.execute(_RELEASE_NEXT, {"this_record": record_id}).first()
    return ReadyJob(*released) if released else None


def finish_assembly(
    session: Session,
    claimed: Claim,
    *,
    mp3_bytes: int,
    duration_s: float,
    retention_h: float | None,
    warnings: Sequence[str] = (),
) -> bool:
    """Mark an assemble job and its record as done: the MP3 is durable. Return False when the lease was lost."""
    if not _lock_and_apply(session, claimed, _FINISH_ASSEMBLY):
        return False
    return records.finish(
        session,
        claimed.record_id,
        mp3_bytes=mp3_bytes,
        duration_s=duration_s,
        retention_h=retention_h,
        warnings=warnings,
        has_callback=claimed.has_callback,
    )


def repeat_encoding(session: Session, claimed: Claim, job_ids: Sequence[int]) -> bool:
    """Run these encode jobs again, because their parts vanished. The assembly waits for them.

    Return False when the lease was lost.
    """
    if not _lock_and_apply(session, claimed, change_of(_RECORD_IS_LOCKED, state=JobState.HELD)):
        return False
    session.execute(
        update(Job)
        .where(Job.id.in_(job_ids))
        .values(state=JobState.READY, run_at=func.now(), encoded_samples=0)
        .execution_options(synchronize_session=False)
    )
    return True


def _lock_and_apply(session: Session, claimed: Claim, changing: Update, **parameters: Any) -> bool:
    """Make a change with the guard `_RECORD_IS_LOCKED`. Return False when the lease was lost."""
    parameters["this_record"] = claimed.record_id
    return apply(session, claimed.job_id, claimed.attempt, changing, **parameters)
