"""A user may have several tokens. The one that each user has becomes the first of them."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # An older API may still run, and a user that it creates now must keep the token.
    op.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
    op.create_table(
        "tokens",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("last_used_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_tokens_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_tokens_token_hash")),
    )
    op.create_index(op.f("ix_tokens_user_id"), "tokens", ["user_id"])
    op.execute(
        "INSERT INTO tokens (user_id, name, token_hash, created_at) "
        "SELECT id, 'first', token_hash, created_at FROM users"
    )
    op.drop_column("users", "token_hash")


def downgrade() -> None:
    """Keep the oldest token of each user."""
    op.add_column("users", sa.Column("token_hash", sa.LargeBinary(), nullable=True))
    op.execute(
        "UPDATE users SET token_hash = oldest.token_hash FROM ("
        "SELECT DISTINCT ON (user_id) user_id, token_hash FROM tokens "
        "ORDER BY user_id, created_at, id) AS oldest WHERE oldest.user_id = users.id"
    )
    op.alter_column("users", "token_hash", nullable=False)
    op.create_unique_constraint(op.f("uq_users_token_hash"), "users", ["token_hash"])
    op.drop_table("tokens")
