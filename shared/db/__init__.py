"""PostgreSQL: the engine, the tables, and every change of their rows.

Other packages import only this door: `db.transaction()`, `db.jobs.claim(...)`, `db.Record`.
"""

from shared.db import (
    deliveries,
    jobs,
    quotas,
    records,
    sweeping,
    turns,
    uploads,
    webhook_secrets,
    workers,
)
from shared.db.engine import get_engine, transaction
from shared.db.models import (
    ACTIVE,
    FINISHED,
    GONE,
    PENDING,
    UNFINISHED_JOB,
    Base,
    Delivery,
    Event,
    Job,
    JobKind,
    JobState,
    Record,
    RecordStatus,
    User,
    Worker,
)

__all__ = [
    "ACTIVE",
    "FINISHED",
    "GONE",
    "PENDING",
    "UNFINISHED_JOB",
    "Base",
    "Delivery",
    "Event",
    "Job",
    "JobKind",
    "JobState",
    "Record",
    "RecordStatus",
    "User",
    "Worker",
    "deliveries",
    "get_engine",
    "jobs",
    "quotas",
    "records",
    "sweeping",
    "transaction",
    "turns",
    "uploads",
    "webhook_secrets",
    "workers",
]
