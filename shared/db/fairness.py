"""The order in which users' jobs run."""

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from shared.db.claims import DUE
from shared.db.models import Job, JobKind, JobState


def fairer_job(session: Session, job_id: int) -> int | None:
    """Return the job of another user that should run before this one, or None.

    A job waits while another user with fewer running jobs has a due job on the same queue. A long job waits while its
    user runs another long job and any other user has a due job. Deliveries take turns only with deliveries.
    """
    job = session.get(Job, job_id)
    if job is None:
        return None
    same_work = (Job.kind == JobKind.DELIVER) == (job.kind == JobKind.DELIVER)
    running = session.execute(
        select(Job.user_id, func.count(), func.count().filter(Job.is_long))
        .where(Job.state == JobState.RUNNING, same_work)
        .group_by(Job.user_id)
    ).all()
    counts = {user_id: (count, long) for user_id, count, long in running}
    count, long = counts.get(job.user_id, (0, 0))
    if job.is_long and long:
        others: tuple[ColumnElement[bool], ...] = (Job.user_id != job.user_id,)
    elif count:
        busier = [user_id for user_id, (other, _) in counts.items() if other >= count]
        others = (Job.queue == job.queue, Job.user_id.not_in(busier))
    else:
        return None
    return session.scalar(select(Job.id).where(DUE, same_work, *others).order_by(Job.id).limit(1))
