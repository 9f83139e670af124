"""A database is upgraded from nothing, from an older schema, and by two processes at once."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from uuid import UUID

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text

from local.stack import Stack
from shared import db
from shared.db import engine
from tests.conftest import ROOT, fresh_settings, migrate, new_database

MIGRATION_LOCK = 0x77617632
NEWEST = """
import sqlalchemy as sa
from alembic import op

revision = "newest"
down_revision = "{head}"


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


def test_migrations_match_the_models(empty_database: str) -> None:
    migrate()
    command.check(Config(toml_file=ROOT / "pyproject.toml"))


def test_a_full_downgrade_leaves_nothing(empty_database: str) -> None:
    migrate()
    command.downgrade(Config(toml_file=ROOT / "pyproject.toml"), "base")
    assert inspect(db.get_engine()).get_table_names() == ["alembic_version"]


def test_an_older_database_is_upgraded(empty_database: str, tmp_path: Path) -> None:
    migrate("0001")
    scripts = tmp_path / "migrations"
    shutil.copytree(ROOT / "shared/db/migrations", scripts)
    config = Config(toml_file=ROOT / "pyproject.toml")
    head = ScriptDirectory.from_config(config).get_current_head()
    (scripts / "versions/newest.py").write_text(NEWEST.format(head=head))
    config.set_main_option("script_location", str(scripts))
    for _ in range(2):
        command.upgrade(config, "head")
    columns = {column["name"] for column in inspect(db.get_engine()).get_columns("records")}
    assert "rating" in columns


@pytest.mark.exhaustive
def test_concurrent_upgrades_are_serialized(empty_database: str, stack: Stack) -> None:
    arguments = [sys.executable, "-m", "alembic", "upgrade", "head"]
    environment = stack.environment | {"DATABASE_URL": empty_database}
    both = [subprocess.Popen(arguments, cwd=ROOT, env=environment, stderr=-1) for _ in range(2)]
    for process in both:
        _, complaints = process.communicate(timeout=60)
        assert process.returncode == 0, complaints.decode()
    command.check(Config(toml_file=ROOT / "pyproject.toml"))


def test_an_upgrade_waits_for_another(empty_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "STATEMENT_TIMEOUT_S", 1)
    other = create_engine(empty_database, isolation_level="AUTOCOMMIT")
    with ThreadPoolExecutor(1) as threads, other.connect() as connection:
        connection.exec_driver_sql(f"SELECT pg_advisory_lock({MIGRATION_LOCK})")
        upgrade = threads.submit(migrate)
        assert wait([upgrade], timeout=2).not_done
        connection.exec_driver_sql(f"SELECT pg_advisory_unlock({MIGRATION_LOCK})")
        upgrade.result(timeout=60)
    other.dispose()
    assert "records" in inspect(db.get_engine()).get_table_names()


OLD_ROWS = """
INSERT INTO users (id, name, token_hash) VALUES ('00000000-0000-0000-0000-000000000001', 'alexander', 'hash');
INSERT INTO records (id, user_id, filename, status, options, tags)
SELECT (status || '0000000-0000-0000-0000-000000000000')::uuid, '00000000-0000-0000-0000-000000000001',
       name, name, '{}', '{}'
FROM (VALUES (1, 'queued'), (2, 'converting'), (3, 'failed'), (4, 'done'), (5, 'uploading')) AS old (status, name);
INSERT INTO segments (record_id, index, start_sample, samples, encoded_samples, queue, state, attempt)
SELECT records.id, segment, 1000 * segment, 1000, 10 * segment, 'segments-again', 'encoding', 3
FROM records, generate_series(0, 33) AS segment WHERE status <> 'uploading';
"""


def test_records_in_progress_survive_the_move_to_jobs(empty_database: str) -> None:
    migrate("0001")
    with db.transaction() as session:
        session.execute(text(OLD_ROWS))
    migrate()
    with db.transaction() as session:
        found = session.execute(
            text(
                "SELECT filename, kind, state, attempt, encoded_samples > 0, count(*), sum(jobs.samples), min(queue)"
                " FROM jobs JOIN records ON records.id = record_id GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 5"
            )
        ).all()
    waiting = [
        ("assemble", "held", 0, False, 1, 0, "clips-again"),
        ("encode", "held", 0, False, 2, 2000, "segments"),
        ("encode", "ready", 0, False, 32, 32000, "segments"),
    ]
    assert [tuple(row) for row in found] == [
        *[("converting", *row) for row in waiting],
        ("failed", "encode", "failed", 0, False, 1, 1000, "segments"),
        ("failed", "encode", "failed", 0, True, 33, 33000, "segments"),
        *[("queued", *row) for row in waiting],
    ]


def test_records_in_progress_survive_a_downgrade(empty_database: str) -> None:
    migrate("0001")
    with db.transaction() as session:
        session.execute(text(OLD_ROWS))
    migrate()
    command.downgrade(Config(toml_file=ROOT / "pyproject.toml"), "0001")
    with db.transaction() as session:
        found = session.execute(
            text(
                "SELECT filename, state, count(*) FROM segments JOIN records ON records.id = record_id"
                " GROUP BY 1, 2 ORDER BY 1"
            )
        ).all()
    assert [tuple(row) for row in found] == [
        ("converting", "queued", 34),
        ("failed", "failed", 34),
        ("queued", "queued", 34),
    ]


def test_the_token_of_each_user_stays_valid(empty_database: str) -> None:
    """Upgraded, and downgraded again after another token was added."""
    config = Config(toml_file=ROOT / "pyproject.toml")
    migrate("0003")
    old, new = (db.tokens.hash_secret(secret) for secret in ("old secret", "new secret"))
    with db.transaction() as session:
        insert = text("INSERT INTO users (id, name, token_hash) VALUES (:id, 'alexander', :hash)")
        session.execute(insert, {"id": UUID(int=1), "hash": old})
    migrate()
    with db.transaction() as session:
        identity = db.tokens.identify(session, "old secret")
        assert identity is not None
        assert identity.user_id == UUID(int=1)
        session.add(db.Token(user_id=UUID(int=1), name="another", token_hash=new))
    command.downgrade(config, "0003")
    with db.transaction() as session:
        (kept,) = session.scalars(text("SELECT token_hash FROM users"))
        assert bytes(kept) == old
