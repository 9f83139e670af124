"""One table of jobs replaces the segments and the leases on records.

Records that were being converted keep their place and start again: their parts have the names of the old table, and
nobody knows which encoder wrote them.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("record_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("index", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("start_sample", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("samples", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("encoded_samples", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("queue", sa.String(), nullable=False),
        sa.Column("is_long", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "run_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("waiting_for", sa.String(), nullable=True),
        sa.Column("storage_waits", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("renewals", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("peak_db", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(
            ["record_id"], ["records.id"], name=op.f("fk_jobs_record_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
        sa.UniqueConstraint(
            "record_id", "kind", "index", name=op.f("uq_jobs_record_id_kind_index")
        ),
    )
    op.create_index(
        "ix_jobs_ready",
        "jobs",
        ["queue", "id", "run_at"],
        postgresql_where=sa.text("state = 'ready'"),
    )
    op.create_index(
        "ix_jobs_running",
        "jobs",
        ["user_id"],
        postgresql_where=sa.text("state = 'running'"),
    )
    # 32 jobs of a record are ready at first: the default of SEGMENTS_IN_FLIGHT.
    op.execute(
        """
        INSERT INTO jobs (record_id, user_id, kind, index, start_sample, samples, encoded_samples, queue, state)
        SELECT segments.record_id, user_id, 'encode', index, start_sample, samples,
               CASE WHEN records.status = 'failed' THEN encoded_samples ELSE 0 END,
               replace(queue, '-again', ''),
               CASE WHEN records.status = 'failed' THEN 'failed' WHEN index < 32 THEN 'ready' ELSE 'held' END
        FROM segments JOIN records ON records.id = segments.record_id
        WHERE records.status IN ('queued', 'converting', 'failed')
        ORDER BY segments.id
        """
    )
    op.execute(
        """
        INSERT INTO jobs (record_id, user_id, kind, queue, state)
        SELECT id, user_id, 'assemble', 'clips-again', 'held' FROM records WHERE status IN ('queued', 'converting')
        """
    )
    op.drop_table("segments")
    op.add_column(
        "records", sa.Column("target", postgresql.JSONB(astext_type=sa.Text()), nullable=True)
    )
    op.add_column("records", sa.Column("encoder", sa.String(), nullable=True))
    op.add_column(
        "records",
        sa.Column("reserved_bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
    )
    op.drop_column("records", "attempt")
    op.drop_column("records", "lease_until")
    op.add_column(
        "records",
        sa.Column("upload_renewals", sa.Integer(), server_default=sa.text("0"), nullable=False),
    )
    op.execute("DELETE FROM workers")  # they report themselves again
    op.add_column("workers", sa.Column("role", sa.String(), nullable=False))
    op.add_column("workers", sa.Column("encoder", sa.String(), nullable=True))
    op.add_column("workers", sa.Column("stopped_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.create_table(
        "segments",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("record_id", sa.Uuid(), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("start_sample", sa.BigInteger(), nullable=False),
        sa.Column("samples", sa.BigInteger(), nullable=False),
        sa.Column("encoded_samples", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("queue", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["record_id"], ["records.id"], name=op.f("fk_segments_record_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_segments")),
        sa.UniqueConstraint("record_id", "index", name=op.f("uq_segments_record_id_index")),
    )
    op.create_index(
        "ix_segments_pending",
        "segments",
        ["state", "lease_until"],
        postgresql_where=sa.text("state IN ('queued', 'encoding')"),
    )
    op.execute(
        """
        INSERT INTO segments (record_id, index, start_sample, samples, queue, state)
        SELECT record_id, index, start_sample, samples, replace(queue, '-again', ''),
               CASE WHEN state = 'failed' THEN 'failed' ELSE 'queued' END
        FROM jobs JOIN records ON records.id = jobs.record_id
        WHERE kind = 'encode' AND records.status IN ('queued', 'converting', 'failed')
        ORDER BY jobs.id
        """
    )
    op.drop_table("jobs")
    op.drop_column("records", "target")
    op.drop_column("records", "encoder")
    op.drop_column("records", "reserved_bytes")
    op.add_column(
        "records", sa.Column("attempt", sa.Integer(), server_default=sa.text("0"), nullable=False)
    )
    op.drop_column("records", "upload_renewals")
    op.add_column("records", sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True))
    op.execute("DELETE FROM workers")
    for column in ("role", "encoder", "stopped_at"):
        op.drop_column("workers", column)
