"""Repeated requests get the answer of the first one."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("record_id", sa.Uuid(), nullable=True),
        sa.Column("answer", postgresql.JSONB(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["record_id"],
            ["records.id"],
            name="fk_idempotency_keys_record_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("owner", "key_hash", name="pk_idempotency_keys"),
    )
    for column in ("record_id", "expires_at"):
        op.create_index(f"ix_idempotency_keys_{column}", "idempotency_keys", [column])


def downgrade() -> None:
    op.drop_table("idempotency_keys")
