"""PostgreSQL: the engine, the tables, and every change of their rows.

Other packages import only this door: `db.transaction()`, `db.jobs.claim(...)`, `db.Record`.
"""

from shared.db import idempotency, jobs, quotas, records, sweeping, turns, uploads, workers
from shared.db.engine import get_engine, transaction
from shared.db.models import (
    ACTIVE,
    FINISHED,
    GONE,
    PENDING,
    UNFINISHED_JOB,
    Base,
    IdempotencyKey,
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
    "IdempotencyKey",
    "Job",
    "JobKind",
    "JobState",
    "Record",
    "RecordStatus",
    "User",
    "Worker",
    "get_engine",
    "idempotency",
    "jobs",
    "quotas",
    "records",
    "sweeping",
    "transaction",
    "turns",
    "uploads",
    "workers",
]
