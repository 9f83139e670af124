"""Claims a job in the order that is fair to all users."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.orm import Session

from shared import db, queue

Claim = TypeVar("Claim")


def claim_fairly(job_id: int, claim: Callable[[Session, int], Claim | None]) -> Claim | None:
    """Claim this job. If it is another user's turn, claim that user's job instead, and publish this one again."""
    with db.transaction() as session:
        fairer = db.fairness.fairer_job(session, job_id)
        claimed = claim(session, fairer) if fairer else None
        if claimed is None:
            return claim(session, job_id)
        waiting = session.get_one(db.Job, job_id)
    queue.publish(job_id, waiting.queue)
    return claimed
