"""PostgreSQL: the engine, the tables, and every change of their rows.

Other packages import only this door: `db.transaction()`, `db.records.fail(...)`, `db.Record`.
"""

from shared.db import assemblies, records, segments, stale, workers
from shared.db.engine import get_engine, transaction
from shared.db.models import (
    GONE,
    HOLDS_FILENAME,
    PENDING,
    UNDONE,
    Base,
    Record,
    RecordStatus,
    Segment,
    SegmentState,
    User,
    Worker,
)

__all__ = [
    "GONE",
    "HOLDS_FILENAME",
    "PENDING",
    "UNDONE",
    "Base",
    "Record",
    "RecordStatus",
    "Segment",
    "SegmentState",
    "User",
    "Worker",
    "assemblies",
    "get_engine",
    "records",
    "segments",
    "stale",
    "transaction",
    "workers",
]
