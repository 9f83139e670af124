"""An upload may have the filename of the record that it will replace."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("uq_records_user_id_filename", table_name="records")
    _create_index("uq_records_user_id_filename", "status IN ('queued', 'converting', 'done')")
    _create_index("uq_records_upload_user_id_filename", "status = 'uploading'")


def downgrade() -> None:
    # Their clients upload again. The sweeper removes the files.
    op.execute("DELETE FROM records WHERE status = 'uploading'")
    op.drop_index("uq_records_upload_user_id_filename", table_name="records")
    op.drop_index("uq_records_user_id_filename", table_name="records")
    _create_index(
        "uq_records_user_id_filename", "status IN ('uploading', 'queued', 'converting', 'done')"
    )


def _create_index(name: str, where: str) -> None:
    op.create_index(
        name, "records", ["user_id", "filename"], unique=True, postgresql_where=sa.text(where)
    )
