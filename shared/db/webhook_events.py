"""Announces a change of a record to its callback URL, by a job that is committed with the change."""

from uuid import UUID

from sqlalchemy import func, literal_column, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from shared.db.models import ENCODED_FRACTION, Delivery, Event, Job, JobKind, JobState, Record
from shared.queue import DELIVERIES


def announce(session: Session, record_id: UUID, event: Event) -> None:
    """Create the delivery of an event, if the record has a callback URL.

    The delivery stores a copy of the row, so the event stays correct if the record changes again or expires. The caller
    must have changed the record in this transaction: its lock on the row ensures that no two deliveries get one index.
    """
    row = func.to_jsonb(literal_column(Record.__tablename__), type_=JSONB)
    record = session.execute(
        select(Record.user_id, row).where(Record.id == record_id, Record.callback_url.is_not(None))
    ).first()
    if record is None:
        return
    progress = 1.0 if event == Event.DONE else _encoded(session, record_id)
    job = Job(
        record_id=record_id,
        user_id=record[0],
        kind=JobKind.DELIVER,
        index=_next_index(session, record_id),
        queue=DELIVERIES,
        state=JobState.READY,
    )
    session.add(job)
    session.flush()
    session.add(Delivery(job_id=job.id, event=event, record=record[1], progress=progress))


def _encoded(session: Session, record_id: UUID) -> float:
    """Return the encoded fraction of the audio."""
    encoded = select(ENCODED_FRACTION).where(Job.record_id == record_id, Job.kind == JobKind.ENCODE)
    return session.scalar(encoded) or 0.0


def _next_index(session: Session, record_id: UUID) -> int:
    last = select(func.max(Job.index)).where(
        Job.record_id == record_id, Job.kind == JobKind.DELIVER
    )
    index = session.scalar(last)
    return 0 if index is None else index + 1
