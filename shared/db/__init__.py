"""PostgreSQL: the engine, the tables, and every change of their rows.

Other packages import only this door: `db.transaction()`, `db.jobs.claim(...)`, `db.Record`.
"""

from shared.db import (
    deliveries,
    idempotency,
    jobs,
    quotas,
    records,
    sweeping,
    tokens,
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
    IdempotencyKey,
    Job,
    JobKind,
    JobState,
    Record,
    RecordStatus,
    Token,
    User,
    Worker,
)
from shared.db.tokens import Identity

__all__ = [
    "ACTIVE",
    "FINISHED",
    "GONE",
    "PENDING",
    "UNFINISHED_JOB",
    "Base",
    "Delivery",
    "Event",
    "IdempotencyKey",
    "Identity",
    "Job",
    "JobKind",
    "JobState",
    "Record",
    "RecordStatus",
    "Token",
    "User",
    "Worker",
    "deliveries",
    "get_engine",
    "idempotency",
    "jobs",
    "quotas",
    "records",
    "sweeping",
    "tokens",
    "transaction",
    "turns",
    "uploads",
    "webhook_secrets",
    "workers",
]
