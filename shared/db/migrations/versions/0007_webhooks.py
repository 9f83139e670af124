"""Records may have a callback URL, and users a secret that signs the deliveries to it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("users", sa.Column("webhook_secret", sa.LargeBinary()))
    op.add_column("users", sa.Column("old_webhook_secret", sa.LargeBinary()))
    op.add_column(
        "users", sa.Column("old_webhook_secret_until", sa.DateTime(timezone=True), nullable=True)
    )
    op.add_column("records", sa.Column("callback_url", sa.String()))
    op.add_column("records", sa.Column("callback_base_url", sa.String()))
    op.create_table(
        "deliveries",
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("record", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("progress", sa.Float(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("last_status", sa.Integer(), nullable=True),
        sa.Column("last_error", sa.String(), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_deliveries_job_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint("id", name=op.f("uq_deliveries_id")),
    )


def downgrade() -> None:
    op.drop_table("deliveries")
    op.execute("DELETE FROM jobs WHERE kind = 'deliver'")
    for column in ("callback_url", "callback_base_url"):
        op.drop_column("records", column)
    for column in ("webhook_secret", "old_webhook_secret", "old_webhook_secret_until"):
        op.drop_column("users", column)
