"""The tables. Times are the database's own, in UTC; bytes and samples need 64 bits."""

import typing
import uuid
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    DateTime,
    Float,
    ForeignKey,
    Identity,
    Index,
    MetaData,
    Table,
    UniqueConstraint,
    cast,
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


class JobKind(StrEnum):
    ENCODE = "encode"
    ASSEMBLE = "assemble"
    DELIVER = "deliver"


class JobState(StrEnum):
    HELD = "held"
    READY = "ready"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Event(StrEnum):
    """A change of a record that the service reports to its callback URL."""

    DONE = "record.done"
    FAILED = "record.failed"
    EXPIRED = "record.expired"


PENDING = (RecordStatus.UPLOADING, RecordStatus.QUEUED, RecordStatus.CONVERTING)
"""Not finished. MAX_PENDING_RECORDS limits these."""
ACTIVE = (RecordStatus.QUEUED, RecordStatus.CONVERTING)
"""Accepted and not finished: the record has jobs to run."""
FINISHED = (RecordStatus.DONE, RecordStatus.FAILED)
GONE = (RecordStatus.DELETED, RecordStatus.EXPIRED)
"""The row stays, so that old links answer 410. The files are deleted."""
HOLDS_FILENAME = text("status IN ('queued', 'converting', 'done')")
UPLOADS_FILENAME = text("status = 'uploading'")
UNFINISHED_JOB = (JobState.HELD, JobState.READY, JobState.RUNNING)


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
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    webhook_secret: Mapped[bytes | None]
    """The key that signs deliveries. Not hashed, because signing needs it."""
    old_webhook_secret: Mapped[bytes | None]
    old_webhook_secret_until: Mapped[datetime | None]
    """Until this time the old secret signs too."""


class Token(Base):
    """One of a user's tokens. Only a hash of its secret is stored."""

    __tablename__ = "tokens"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=func.gen_random_uuid())
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), index=True)
    name: Mapped[str]
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_used_on: Mapped[date | None]
    """A date without a time: a token costs one write per day, not one per request."""


class Record(Base):
    """One uploaded WAV and its conversion."""

    __tablename__ = "records"
    __table_args__ = (
        Index(
            "uq_records_user_id_filename",
            "user_id",
            "filename",
            unique=True,
            postgresql_where=HOLDS_FILENAME,
        ),
        # A separate index, because an upload may replace the record that holds its filename.
        Index(
            "uq_records_upload_user_id_filename",
            "user_id",
            "filename",
            unique=True,
            postgresql_where=UPLOADS_FILENAME,
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
    """The `mp3_options.Options` that the user asked for."""
    target: Mapped[dict[str, Any] | None]
    """The `mp3_options.Target` that was decided at accept. None for a record that an older release accepted."""
    encoder: Mapped[str | None]
    """Fingerprint of the encoder of its segments. The first claim sets it."""
    tags: Mapped[dict[str, str]]
    """Tags that the user sent. They override the source's own."""

    callback_url: Mapped[str | None]
    """The service posts each `Event` of the record to this URL."""
    callback_base_url: Mapped[str | None]
    """The address that the upload used. Links in deliveries begin with it, unless PUBLIC_URL is set."""

    source_bytes: Mapped[int | None] = mapped_column(BigInteger)
    duration_s: Mapped[float | None]
    mp3_bytes: Mapped[int | None] = mapped_column(BigInteger)
    reserved_bytes: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    """Space on the volume that the record still needs: while it is uploading, for the announced source; then for its
    parts and MP3. 0 for a record that an older release accepted."""
    warnings: Mapped[list[str]] = mapped_column(server_default=text("'[]'"))
    error_code: Mapped[str | None]
    error_detail: Mapped[str | None]

    upload_renewals: Mapped[int] = mapped_column(server_default=text("0"))
    """Grows while the API receives the upload."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    finished_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]


class Job(Base):
    """One unit of leased work on a record.

    An encode job covers `samples` of each channel from `start_sample`, at the source's rate. Other jobs have 0.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        UniqueConstraint("record_id", "kind", "index"),
        Index("ix_jobs_ready", "queue", "id", "run_at", postgresql_where=text("state = 'ready'")),
        Index("ix_jobs_running", "user_id", postgresql_where=text("state = 'running'")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    record_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("records.id", ondelete="CASCADE"))
    user_id: Mapped[uuid.UUID]
    """The record's user, so that users can take turns."""
    kind: Mapped[str]
    index: Mapped[int] = mapped_column(server_default=text("0"))
    """The position of the job among the record's jobs of the same kind."""
    start_sample: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    samples: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    encoded_samples: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    queue: Mapped[str]
    is_long: Mapped[bool] = mapped_column(server_default=text("false"))
    """True if the job occupies a worker's process for much longer than a segment does."""
    state: Mapped[str]
    attempt: Mapped[int] = mapped_column(server_default=text("0"))
    """The number of claims so far."""
    run_at: Mapped[datetime] = mapped_column(server_default=func.now())
    """A ready job waits until this time."""
    waiting_for: Mapped[str | None]
    """`storage` while the job waits for the media volume."""
    storage_waits: Mapped[int] = mapped_column(server_default=text("0"))
    """The number of attempts that an error of the media volume ended. They do not count against MAX_ATTEMPTS."""
    renewals: Mapped[int] = mapped_column(server_default=text("0"))
    """Grows while a worker holds the lease."""
    peak_db: Mapped[float | None]
    """The peak of an encoded segment in dBFS. None if it cannot be above full scale."""
    flaws: Mapped[dict[str, Any] | None]
    """The counts of damaged samples in an encoded segment, by kind."""


RECORDS = typing.cast("Table", Record.__table__)
JOBS = typing.cast("Table", Job.__table__)
"""A change of a table costs less time than one of its class: SQLAlchemy does not look for objects to change too."""

ENCODED_FRACTION = cast(
    func.sum(Job.encoded_samples) / func.nullif(func.sum(Job.samples), 0), Float
)
"""The encoded fraction of the selected encode jobs."""


class Delivery(Base):
    """One event of a record, which a deliver job posts to the record's callback URL."""

    __tablename__ = "deliveries"

    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(unique=True, default=uuid.uuid4)
    """The same in each attempt, so that the receiver can ignore a repetition."""
    event: Mapped[str]
    record: Mapped[dict[str, Any]]
    """The record's row at the time of the event. The row itself may change before the delivery."""
    progress: Mapped[float]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_status: Mapped[int | None]
    """The HTTP status of the last attempt's answer. None if there was none."""
    last_error: Mapped[str | None]
    """The reason why the last attempt failed, for the user."""
    delivered_at: Mapped[datetime | None]


class Worker(Base):
    """A process that reports regularly that it is alive. After a while without a report it counts as dead."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str]
    """`main`, `clips`, `deliveries` or `sweeper`."""
    encoder: Mapped[str | None]
    """Fingerprint of its encoder."""
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    stopped_at: Mapped[datetime | None]
    """The time when the process reported that it stops."""


class IdempotencyKey(Base):
    """A request that a client may repeat, and its result: a record or an answer."""

    __tablename__ = "idempotency_keys"

    owner: Mapped[str] = mapped_column(primary_key=True)
    """The id of a user, or the address of a client without one."""
    key_hash: Mapped[bytes] = mapped_column(primary_key=True)
    fingerprint: Mapped[bytes]
    """Hash of the request's path and options."""
    salt: Mapped[bytes]
    """The salt and the key make the secret that the request created. The key itself is not stored."""
    record_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("records.id", ondelete="CASCADE"), index=True
    )
    answer: Mapped[dict[str, Any] | None]
    """The JSON body of the answer, without secrets."""
    expires_at: Mapped[datetime] = mapped_column(index=True)
