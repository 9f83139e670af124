"""`python -m local.migration NAME`: write the migration that brings the newest schema to the models.

Alembic compares the models with a database at the newest migration. This database is temporary.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory

from local import postgres
from local.environment import ROOT
from local.machine import StackError, run


def main() -> int:
    name = " ".join(sys.argv[1:])
    if not name:
        print("Name the migration: make migration NAME=add_rating", file=sys.stderr)
        return 2
    try:
        with _empty_database() as url:
            _write_migration(name, url)
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _write_migration(name: str, database_url: str) -> None:
    environment = os.environ | {
        "DATABASE_URL": database_url,
        "REDIS_URL": "redis://unused",
        "MEDIA_DIR": "unused",
    }
    alembic = [sys.executable, "-m", "alembic"]
    run([*alembic, "upgrade", "head"], cwd=ROOT, env=environment)
    number, message = _next_number(), name.replace("_", " ").capitalize()
    revision = ["revision", "--autogenerate", "--rev-id", number, "--message", message]
    run([*alembic, *revision], cwd=ROOT, env=environment)
    written = next((ROOT / "shared/db/migrations/versions").glob(f"{number}_*.py"))
    print(f"Wrote {written.relative_to(ROOT)}. Read it, complete it, and run make test.")


def _next_number() -> str:
    scripts = ScriptDirectory.from_config(Config(toml_file=ROOT / "pyproject.toml"))
    return f"{int(scripts.get_current_head() or 0) + 1:04}"


@contextmanager
def _empty_database() -> Iterator[str]:
    # in /tmp, because the path of a socket must be short
    with tempfile.TemporaryDirectory(prefix="wav2mp3-", dir="/tmp") as folder:
        data_dir, socket_dir = Path(folder, "data"), Path(folder, "socket")
        postgres.prepare(data_dir, socket_dir)
        options = f"-k {socket_dir} -c listen_addresses= -c fsync=off"
        log = socket_dir / "log"
        pg_ctl = ("--pgdata", str(data_dir), "--wait", "--silent", "--log", str(log))
        postgres.run_program("pg_ctl", "start", *pg_ctl, "--options", options)
        try:
            yield f"postgresql+psycopg2://wav2mp3@/postgres?host={socket_dir}"
        finally:
            postgres.run_program("pg_ctl", "stop", *pg_ctl[:4], "--mode", "immediate")


if __name__ == "__main__":
    sys.exit(main())
