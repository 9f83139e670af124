"""A database comes to the newest schema from nothing, from an older one, and from two sides at once."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, inspect

from local.stack import Stack
from shared import db
from shared.db import engine
from tests.conftest import ROOT, fresh_settings, migrate, new_database

MIGRATION_LOCK = 0x77617632
SECOND = """
import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("records", sa.Column("rating", sa.Integer()))


def downgrade() -> None:
    op.drop_column("records", "rating")
"""


@pytest.fixture
def empty_database(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    url = new_database(stack)
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("REDIS_URL", "redis://unused")
    monkeypatch.setenv("MEDIA_DIR", "unused")
    with fresh_settings():
        yield url


def test_the_migrations_make_what_the_models_say(empty_database: str) -> None:
    migrate()
    command.check(Config(toml_file=ROOT / "pyproject.toml"))


def test_going_back_leaves_nothing(empty_database: str) -> None:
    migrate()
    command.downgrade(Config(toml_file=ROOT / "pyproject.toml"), "base")
    assert inspect(db.get_engine()).get_table_names() == ["alembic_version"]


def test_a_database_of_an_older_revision_is_brought_up(empty_database: str, tmp_path: Path) -> None:
    migrate("0001")
    scripts = tmp_path / "migrations"
    shutil.copytree(ROOT / "shared/db/migrations", scripts)
    (scripts / "versions/0002_rating.py").write_text(SECOND)
    config = Config(toml_file=ROOT / "pyproject.toml")
    config.set_main_option("script_location", str(scripts))
    for _ in range(2):
        command.upgrade(config, "head")
    columns = {column["name"] for column in inspect(db.get_engine()).get_columns("records")}
    assert "rating" in columns


def test_two_that_upgrade_at_once_do_not_disturb_each_other(
    empty_database: str, stack: Stack
) -> None:
    arguments = [sys.executable, "-m", "alembic", "upgrade", "head"]
    environment = stack.environment | {"DATABASE_URL": empty_database}
    both = [subprocess.Popen(arguments, cwd=ROOT, env=environment, stderr=-1) for _ in range(2)]
    for process in both:
        _, complaints = process.communicate(timeout=60)
        assert process.returncode == 0, complaints.decode()
    command.check(Config(toml_file=ROOT / "pyproject.toml"))


def test_an_upgrade_waits_for_another_however_long_it_takes(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "STATEMENT_TIMEOUT_S", 1)
    other = create_engine(empty_database, isolation_level="AUTOCOMMIT")
    with ThreadPoolExecutor(1) as threads, other.connect() as connection:
        connection.exec_driver_sql(f"SELECT pg_advisory_lock({MIGRATION_LOCK})")
        upgrade = threads.submit(migrate)
        assert wait([upgrade], timeout=2).not_done
        connection.exec_driver_sql(f"SELECT pg_advisory_unlock({MIGRATION_LOCK})")
        upgrade.result(timeout=10)
    other.dispose()
    assert "records" in inspect(db.get_engine()).get_table_names()
