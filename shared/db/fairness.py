"""The order in which users' jobs run."""

from sqlalchemy import ColumnElement, bindparam, func, select
from sqlalchemy.orm import Session

from shared.db.claims import DUE
from shared.db.models import Job, JobKind, JobState

_JOB = select(Job.user_id, Job.kind, Job.is_long, Job.queue).where(Job.id == bindparam("job_id"))
_SAME_WORK = (Job.kind == JobKind.DELIVER) == bindparam("delivers")
_RUNNING = (
    select(Job.user_id, func.count(), func.count().filter(Job.is_long))
    .where(Job.state == JobState.RUNNING, _SAME_WORK)
    .group_by(Job.user_id)
)


def fairer_job(session: Session, job_id: int) -> int | None:
    """Return the job of another user that should run before this one, or None.

    A job waits while another user with fewer running jobs has a due job on the same queue. A long job waits while its
    user runs another long job and any other user has a due job. Deliveries take turns only with deliveries.
    """
    job = session.execute(_JOB, {"job_id": job_id}).one_or_none()
    if job is None:
        return None
    same_work = {"delivers": job.kind == JobKind.DELIVER}
    running = session.execute(_RUNNING, same_work)
    counts = {user_id: (count, long) for user_id, count, long in running}
    count, long = counts.get(job.user_id, (0, 0))
    if job.is_long and long:
        others: tuple[ColumnElement[bool], ...] = (Job.user_id != job.user_id,)
    elif count:
        busier = [user_id for user_id, (other, _) in counts.items() if other >= count]
        others = (Job.queue == job.queue, Job.user_id.not_in(busier))
    else:
        return None
    due = select(Job.id).where(DUE, _SAME_WORK, *others)
    return session.scalar(due.order_by(Job.id).limit(1), same_work)
