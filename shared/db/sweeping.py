"""The sweeper's queries: jobs and records that a crash, a lost task or a broken volume left unfinished.

Functions take the session of a running transaction and do not commit. They skip rows that another transaction locks.
"""

from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy import case, delete, func, select, tuple_, update
from sqlalchemy.orm import Session

from shared.db import jobs, records, workers
from shared.db.claims import DUE
from shared.db.jobs import MAX_DELIVERY_PAUSE_S, MAX_PAUSE_S, STORAGE
from shared.db.models import ACTIVE, Job, JobKind, JobState, Record, RecordStatus, Worker
from shared.segmentation import SampleRange

ENCODER_GONE_AFTER_S = 30
"""Longer than the restart of a worker takes."""


def leases(session: Session) -> dict[int, tuple[int, int]]:
    """Return the attempt and the renewals of each running job."""
    running = select(Job.id, Job.attempt, Job.renewals).where(Job.state == JobState.RUNNING)
    return {job_id: (attempt, renewals) for job_id, attempt, renewals in session.execute(running)}


def requeue_expired(
    session: Session, expired: Mapping[int, tuple[int, int]], retry_queue: Mapping[str, str]
) -> list[int]:
    """Make running jobs ready again if their attempt and renewals are still those in `expired`. Return their ids.

    `retry_queue` maps the queue of a job to its retry queue.
    """
    if not expired:
        return []
    leases = [(job_id, *lease) for job_id, lease in expired.items()]
    unchanged = (
        select(Job.id)
        .where(
            Job.state == JobState.RUNNING,
            tuple_(Job.id, Job.attempt, Job.renewals).in_(leases),
        )
        .with_for_update(skip_locked=True)
    )
    queue = case(dict(retry_queue), value=Job.queue, else_=Job.queue)
    return list(
        session.scalars(
            update(Job)
            .where(Job.id.in_(unchanged))
            .values(state=JobState.READY, run_at=func.now(), queue=queue)
            .returning(Job.id)
            .execution_options(synchronize_session=False)
        )
    )


def due_queues(session: Session) -> set[str]:
    """Return the queues on which jobs should be now."""
    return set(session.scalars(select(Job.queue).where(DUE).distinct()))


def due(session: Session, queue: str, limit: int) -> list[int]:
    """Return the ids of the jobs that should be on a queue now, oldest first."""
    ready = select(Job.id).where(Job.queue == queue, DUE)
    return list(session.scalars(ready.order_by(Job.id).limit(limit)))


def any_waits_for_storage(session: Session) -> bool:
    waiting = select(Job.id).where(Job.state == JobState.READY, Job.waiting_for == STORAGE)
    return session.scalars(select(waiting.exists())).one()


def end_storage_waits(session: Session) -> list[int]:
    """Make jobs that wait for the media volume due now. Return their ids."""
    return list(
        session.scalars(
            update(Job)
            .where(Job.state == JobState.READY, Job.waiting_for == STORAGE)
            .values(run_at=func.now())
            .returning(Job.id)
            .execution_options(synchronize_session=False)
        )
    )


def end_impossible_pauses(session: Session) -> None:
    """Make jobs due now if they would wait longer than any pause: the database's clock was set back."""
    longest = timedelta(seconds=2 * MAX_PAUSE_S)
    longest_of_deliveries = timedelta(seconds=2 * MAX_DELIVERY_PAUSE_S)
    session.execute(
        update(Job)
        .where(
            Job.state == JobState.READY,
            Job.run_at
            > func.now() + case((records.CONVERTS, longest), else_=longest_of_deliveries),
        )
        .values(run_at=func.now())
        .execution_options(synchronize_session=False)
    )


def exhausted(session: Session, max_attempts: int, limit: int) -> list[Record]:
    """Lock and return the active records with a ready job that used up its attempts."""
    used_up = select(Job.id).where(
        Job.record_id == Record.id,
        records.CONVERTS,
        Job.state == JobState.READY,
        Job.attempt - Job.storage_waits >= max_attempts,
    )
    return list(
        session.scalars(
            select(Record)
            .where(Record.status.in_(ACTIVE), used_up.exists())
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
    )


def records_without_encoder(session: Session, limit: int) -> list[Record]:
    """Lock and return the records whose encoder runs on no worker any more, while another encoder does."""
    seen = select(Worker.name).where(
        Worker.role == "main", workers.seen_within(ENCODER_GONE_AFTER_S)
    )
    waiting = select(Job.id).where(
        Job.record_id == Record.id, Job.kind == JobKind.ENCODE, Job.state == JobState.READY
    )
    started = select(Job.id).where(
        Job.record_id == Record.id,
        Job.kind == JobKind.ENCODE,
        Job.state.in_((JobState.RUNNING, JobState.DONE)),
    )
    return list(
        session.scalars(
            select(Record)
            .where(
                Record.status == RecordStatus.CONVERTING,
                seen.where(Worker.encoder != Record.encoder).exists(),
                ~seen.where(Worker.encoder == Record.encoder).exists(),
                waiting.exists(),
                started.exists(),
            )
            .limit(limit)
            .with_for_update(of=Record, skip_locked=True, key_share=True)
        )
    )


def restart_encoding(session: Session, record: Record, *, in_flight: int) -> None:
    """Replace the jobs of a record with new ones, which any encoder may take.

    New ids make new part names, so no part of the old encoder can become part of the MP3.
    """
    encode = Job.record_id == record.id, Job.kind == JobKind.ENCODE
    first = session.scalars(select(Job).where(*encode).order_by(Job.index)).all()
    assemble_queue = session.scalars(
        select(Job.queue).where(Job.record_id == record.id, Job.kind == JobKind.ASSEMBLE)
    ).one()
    session.execute(delete(Job).where(Job.record_id == record.id, records.CONVERTS))
    record.encoder = None
    jobs.create(
        session,
        record.id,
        record.user_id,
        [SampleRange(job.start_sample, job.samples) for job in first],
        queue=first[0].queue,
        assemble_queue=assemble_queue,
        in_flight=in_flight,
        is_long=first[0].is_long,
    )
