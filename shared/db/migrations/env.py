"""Brings a database to the newest schema: `alembic upgrade head`."""

from alembic import context

from shared.db.engine import get_engine
from shared.db.models import Base

ONE_MIGRATION_AT_A_TIME = 0x77617632

with get_engine().begin() as connection:
    connection.exec_driver_sql("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({ONE_MIGRATION_AT_A_TIME})")
    context.configure(connection=connection, target_metadata=Base.metadata)
    context.run_migrations()
