"""The tables. Times are the database's own, in UTC; bytes and samples need 64 bits."""

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    MetaData,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class RecordStatus(StrEnum):
    UPLOADING = "uploading"
    QUEUED = "queued"
    CONVERTING = "converting"
    DONE = "done"
    FAILED = "failed"
    DELETED = "deleted"
    EXPIRED = "expired"


class SegmentState(StrEnum):
    QUEUED = "queued"
    ENCODING = "encoding"
    DONE = "done"
    FAILED = "failed"


PENDING = (RecordStatus.UPLOADING, RecordStatus.QUEUED, RecordStatus.CONVERTING)
GONE = (RecordStatus.DELETED, RecordStatus.EXPIRED)
UNDONE = (SegmentState.QUEUED, SegmentState.ENCODING)
"""of a record that has not failed"""
HOLDS_FILENAME = text("status IN ('uploading', 'queued', 'converting', 'done')")


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 -- SQLAlchemy's own attribute, which is not a ClassVar
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        dict[str, str]: JSONB,
        list[str]: JSONB,
    }


class User(Base):
    __tablename__ = "users"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    name: Mapped[str]
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Record(Base):
    """One uploaded WAV and what becomes of it."""

    __tablename__ = "records"
    __table_args__ = (
        Index(
            "uq_records_user_id_filename",
            "user_id",
            "filename",
            unique=True,
            postgresql_where=HOLDS_FILENAME,
        ),
        Index("ix_records_user_id_created_at_id", "user_id", "created_at", "id"),
        Index(
            "ix_records_pending",
            "status",
            "created_at",
            postgresql_where=text("status IN ('uploading', 'queued', 'converting')"),
        ),
        Index(
            "ix_records_expires_at",
            "expires_at",
            postgresql_where=text("status IN ('done', 'failed')"),
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    filename: Mapped[str]
    status: Mapped[str] = mapped_column(default=RecordStatus.UPLOADING)
    options: Mapped[dict[str, Any]]
    """an `mp3_options.Options`"""
    tags: Mapped[dict[str, str]]
    """what the uploader wants in the ID3 tag instead of the source's own"""

    source_bytes: Mapped[int | None] = mapped_column(BigInteger)
    duration_s: Mapped[float | None]
    mp3_bytes: Mapped[int | None] = mapped_column(BigInteger)
    warnings: Mapped[list[str]] = mapped_column(server_default=text("'[]'"))
    error_code: Mapped[str | None]
    error_detail: Mapped[str | None]

    attempt: Mapped[int] = mapped_column(server_default=text("0"))
    """how often assembling was begun"""
    lease_until: Mapped[datetime | None]
    """while uploading: the API's lease; while assembling: the worker's"""

    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    finished_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]


class Segment(Base):
    """A stretch of a record's audio: `samples` of each channel from `start_sample`, in the source's rate."""

    __tablename__ = "segments"
    __table_args__ = (
        UniqueConstraint("record_id", "index"),
        Index(
            "ix_segments_pending",
            "state",
            "lease_until",
            postgresql_where=text("state IN ('queued', 'encoding')"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    record_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("records.id", ondelete="CASCADE"))
    index: Mapped[int]
    start_sample: Mapped[int] = mapped_column(BigInteger)
    samples: Mapped[int] = mapped_column(BigInteger)
    encoded_samples: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    queue: Mapped[str]
    state: Mapped[str] = mapped_column(default=SegmentState.QUEUED)
    attempt: Mapped[int] = mapped_column(server_default=text("0"))
    lease_until: Mapped[datetime | None]


class Worker(Base):
    """Who converts: a worker that has not been seen for a while is dead."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(primary_key=True)
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
