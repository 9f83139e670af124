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

from sqlalchemy import ColumnElement, func, insert, or_, select, update
from sqlalchemy.orm import Session

from shared.db import records
from shared.db.claims import Claim
from shared.db.models import UNFINISHED_JOB, Job, JobKind, JobState, Record
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
    ids = session.scalars(
        insert(Job).returning(Job.id, sort_by_parameter_order=True),
        [of_record | job for job in (*encode, assemble)],
    )
    return list(ids)[: min(in_flight, len(encode))]


def renew(session: Session, claimed: Claim, *, encoded_samples: int | None = None) -> bool:
    """Keep the lease, and report progress. Return False when the lease was lost."""
    records.use_async_commit(session)
    progress = {} if encoded_samples is None else {"encoded_samples": encoded_samples}
    return _change(session, claimed, renewals=Job.renewals + 1, waiting_for=None, **progress)


def requeue(session: Session, claimed: Claim, *, pause_s: float = 0) -> bool:
    """Make the job ready again, after a pause. Return False when the lease was lost."""
    run_at = records.from_now(pause_s)
    return _lock_and_change(session, claimed, state=JobState.READY, run_at=run_at, waiting_for=None)


def wait_for_storage(session: Session, claimed: Claim, *, pause_s: float) -> bool:
    """Make the job ready again after a pause, without counting the attempt: the media volume failed, not the job.

    Return False when the lease was lost.
    """
    return _lock_and_change(
        session,
        claimed,
        state=JobState.READY,
        run_at=records.from_now(pause_s),
        waiting_for=STORAGE,
        storage_waits=Job.storage_waits + 1,
    )


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
    return _lock_and_change(
        session,
        claimed,
        state=JobState.DONE,
        samples=samples,
        encoded_samples=samples,
        waiting_for=None,
        peak_db=peak_db,
        flaws=flaws,
    )


def release_next(session: Session, record_id: UUID) -> ReadyJob | None:
    """Make the first held job of a record ready. The assemble job comes last, when all encode jobs are done."""
    first = (
        select(Job.id)
        .where(Job.record_id == record_id, Job.state == JobState.HELD)
        .order_by(Job.kind == JobKind.ASSEMBLE, Job.index)
        .limit(1)
    )
    encoding = select(Job.id).where(
        Job.record_id == record_id,
        Job.kind == JobKind.ENCODE,
        Job.state.in_(UNFINISHED_JOB),
    )
    released = session.execute(
        update(Job)
        .where(
            Job.id == first.scalar_subquery(),
            or_(Job.kind == JobKind.ENCODE, ~encoding.exists()),
        )
        .values(state=JobState.READY, run_at=func.now())
        .returning(Job.id, Job.kind, Job.queue)
        .execution_options(synchronize_session=False)
    ).first()
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
    if not _lock_and_change(session, claimed, state=JobState.DONE, waiting_for=None):
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
    if not _lock_and_change(session, claimed, state=JobState.HELD):
        return False
    session.execute(
        update(Job)
        .where(Job.id.in_(job_ids))
        .values(state=JobState.READY, run_at=func.now(), encoded_samples=0)
        .execution_options(synchronize_session=False)
    )
    return True


def _lock_and_change(session: Session, claimed: Claim, **values: Any) -> bool:
    """Lock the record and then change the job, in one statement. Return False when the lease was lost."""
    locked = (
        select(Record.id)
        .where(Record.id == claimed.record_id)
        .with_for_update(of=Record, key_share=True)
        .cte("locked")
    )
    return _change(session, claimed, Job.record_id == locked.c.id, **values)


def _change(session: Session, claimed: Claim, *guards: ColumnElement[bool], **values: Any) -> bool:
    return change_claimed(session, claimed.job_id, claimed.attempt, *guards, **values)


def change_claimed(
    session: Session, job_id: int, attempt: int, *guards: ColumnElement[bool], **values: Any
) -> bool:
    """Change a job that a worker holds. Return False when its lease was lost."""
    changed = session.execute(
        update(Job)
        .where(
            Job.id == job_id,
            Job.attempt == attempt,
            Job.state == JobState.RUNNING,
            *guards,
        )
        .values(values)
        .returning(records.notify_change(Job.record_id))
        .execution_options(synchronize_session=False)
    )
    return changed.first() is not None
