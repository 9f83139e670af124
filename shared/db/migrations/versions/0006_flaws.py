"""An encode job keeps the counts of its damaged samples."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("flaws", postgresql.JSONB(), nullable=True))


def downgrade() -> None:
    op.drop_column("jobs", "flaws")
