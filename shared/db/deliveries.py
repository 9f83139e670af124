"""Every change of a delivery.

A deliver job is claimed, renewed and requeued like other jobs, but it is not part of the conversion: it does not change
the record and does not wait for it. Functions do not commit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from shared.db import jobs, records, webhook_secrets
from shared.db.claims import DUE
from shared.db.models import GONE, Delivery, Job, JobKind, JobState, Record


@dataclass(frozen=True, slots=True)
class DeliveryClaim:
    """A delivery that a worker holds. `secrets` sign it, the newest first."""

    job_id: int
    attempt: int
    id: UUID
    event: str
    created_at: datetime
    record: dict[str, Any]
    progress: float
    url: str
    base_url: str | None
    secrets: Sequence[bytes]


def due(session: Session, record_id: UUID) -> list[int]:
    """Return the ids of a record's deliver jobs that should be on the queue now."""
    ready = select(Job.id).where(Job.record_id == record_id, Job.kind == JobKind.DELIVER, DUE)
    return list(session.scalars(ready.order_by(Job.id)))


def claim(session: Session, job_id: int) -> DeliveryClaim | None:
    """Take a deliver job that is ready. Return None if it cannot be taken."""
    job = session.execute(
        update(Job)
        .where(Job.id == job_id, Job.kind == JobKind.DELIVER, DUE)
        .values(state=JobState.RUNNING, attempt=Job.attempt + 1)
        .returning(Job.attempt, Job.user_id)
        .execution_options(synchronize_session=False)
    ).first()
    if job is None:
        return None
    delivery, record = session.execute(
        select(Delivery, Record)
        .join(Job, Job.id == Delivery.job_id)
        .join(Record, Record.id == Job.record_id)
        .where(Delivery.job_id == job_id)
    ).one()
    assert record.callback_url is not None
    return DeliveryClaim(
        job_id=job_id,
        attempt=job.attempt,
        id=delivery.id,
        event=delivery.event,
        created_at=delivery.created_at,
        record=delivery.record,
        progress=delivery.progress,
        url=record.callback_url,
        base_url=record.callback_base_url,
        secrets=webhook_secrets.valid(session, job.user_id),
    )


def renew(session: Session, claimed: DeliveryClaim) -> bool:
    """Keep the lease. Return False when it was lost."""
    records.use_async_commit(session)
    return _change(session, claimed, renewals=Job.renewals + 1)


def mark_delivered(session: Session, claimed: DeliveryClaim, *, status: int) -> bool:
    """Record that the receiver accepted the event. Return False when the lease was lost."""
    if not _change(session, claimed, state=JobState.DONE):
        return False
    _note(session, claimed, last_status=status, last_error=None, delivered_at=func.now())
    _delete_if_gone(session, claimed)
    return True


def mark_failed(
    session: Session,
    claimed: DeliveryClaim,
    *,
    status: int | None,
    error: str,
    pause_s: float | None,
) -> bool:
    """Try again after `pause_s`, or give up if `pause_s` is None. Return False when the lease was lost."""
    values: dict[str, Any] = {"state": JobState.FAILED}
    if pause_s is not None:
        values = {"state": JobState.READY, "run_at": records.from_now(pause_s)}
    if not _change(session, claimed, **values):
        return False
    _note(session, claimed, last_status=status, last_error=error)
    if pause_s is None:
        _delete_if_gone(session, claimed)
    return True


def _change(session: Session, claimed: DeliveryClaim, **values: Any) -> bool:
    """Change the deliver job. Return False when its lease was lost."""
    return jobs.apply(session, claimed.job_id, claimed.attempt, jobs.change_of(**values))


def _note(session: Session, claimed: DeliveryClaim, **values: Any) -> None:
    session.execute(
        update(Delivery)
        .where(Delivery.job_id == claimed.job_id)
        .values(values)
        .execution_options(synchronize_session=False)
    )


def _delete_if_gone(session: Session, claimed: DeliveryClaim) -> None:
    """Delete a finished delivery that nobody can see any more."""
    gone = select(Record.id).where(Record.id == Job.record_id, Record.status.in_(GONE))
    session.execute(
        delete(Job)
        .where(Job.id == claimed.job_id, gone.exists())
        .execution_options(synchronize_session=False)
    )
