"""The real service for the tests: one embedded stack for each process, or the service that SERVICE_URL names."""

import gc
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx
import hypothesis
import psutil
import pytest
import structlog
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, make_url, text

from local.stack import Stack
from shared import db
from shared.db import Base
from shared.settings import Settings, get_settings
from tests.distribution import (
    pytest_collection_modifyitems,
    pytest_xdist_auto_num_workers,
    pytest_xdist_make_scheduler,
)
from tests.waiting import is_running, until

__all__ = [
    "pytest_collection_modifyitems",
    "pytest_xdist_auto_num_workers",
    "pytest_xdist_make_scheduler",
]

ROOT = Path(__file__).resolve().parent.parent
TIMEOUT_S = 60
SLOTS = 2
"""Jobs that the worker of the embedded stack runs at a time."""
SEGMENT_S = 90
"""of the embedded stack; one that SERVICE_URL names has the default"""


hypothesis.settings.register_profile(
    "any load", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any load")

# By default structlog shows the variables of each function in a traceback, which takes up to a second.
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.dev.set_exc_info,
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)

# Collection makes a million objects that stay. Without this, the garbage collector visits them again and again.
gc.disable()


def pytest_configure() -> None:
    # a run that is terminated must stop its stack, as after Ctrl-C
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Start PostgreSQL, Valkey, workers and the API on ports and data of their own. Leases are short, to see them end.

    The logs are moved to pytest's temporary folder. The data is elsewhere: each pytest that root starts closes that
    folder to other users, such as PostgreSQL's.
    """
    settings = {
        "SEGMENT_S": str(SEGMENT_S),
        "LEASE_S": "3",
        "MAX_ATTEMPTS": "4",
        "SEGMENTS_IN_FLIGHT": "4",
        "SWEEP_INTERVAL_S": "1",
        "UPLOAD_IDLE_TIMEOUT_S": "3",
        "WEBHOOK_ALLOWED_HOSTS": "127.0.0.1",
        "WEBHOOK_TIMEOUT_S": "2",
        "WORKER_CONCURRENCY": str(SLOTS),
    }
    with tempfile.TemporaryDirectory(prefix="wav2mp3-") as folder:
        with running_stack(Stack.on_free_ports(Path(folder, "data"), settings)) as stack:
            yield stack
        shutil.move(stack.data_dir / "logs", tmp_path_factory.mktemp("stack"))


@contextmanager
def running_stack(stack: Stack) -> Iterator[Stack]:
    """Run a stack while the block runs. At the end kill it, because an orderly stop takes 10 s."""
    stack.start()
    try:
        yield stack
    finally:
        supervisord = psutil.Process(stack.supervisor.getPID())
        # supervisord first, which would start the others again
        processes = [supervisord, *supervisord.children(recursive=True)]
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                # PostgreSQL must remove its shared memory, and does so at once
                is_postgres = process.name() == "postgres"
                process.send_signal(signal.SIGQUIT if is_postgres else signal.SIGKILL)
        # not `psutil.wait_procs`: it may raise FileNotFoundError for a process that ends at this moment
        until(lambda: not any(map(is_running, processes)))
        stack.stop()


@pytest.fixture(scope="session")
def service_url(request: pytest.FixtureRequest) -> str:
    """The URL of the service: SERVICE_URL, for example of the composed stack, or the embedded stack."""
    named = os.environ.get("SERVICE_URL")
    return named or request.getfixturevalue("stack").api_url


@pytest.fixture(scope="session")
def segment_s() -> float:
    """The segment length of the service."""
    default: float = Settings.model_fields["segment_s"].default
    return default if "SERVICE_URL" in os.environ else SEGMENT_S


@pytest.fixture(scope="session")
def client(service_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service_url, timeout=TIMEOUT_S, trust_env=False) as client:
        yield client


@dataclass(frozen=True, slots=True)
class User:
    """A user of the service, and the requests that tests make for them."""

    client: httpx.Client
    id: str
    token: str

    @property
    def credentials(self) -> dict[str, str]:
        return {"user_id": self.id, "token": self.token}

    def upload(
        self, wav: bytes, filename: str = "some_audio.wav", **options: str | int
    ) -> httpx.Response:
        return self.client.post(
            "/record",
            params=self.credentials | {name: str(value) for name, value in options.items()},
            files={"wav_file": (filename, wav, "audio/wav")},
        )

    def convert(self, wav: bytes, filename: str | None = None, **options: str | int) -> bytes:
        """Upload a WAV, wait for its MP3 and download it."""
        accepted = self.upload(wav, filename or f"{uuid4()}.wav", **options)
        assert accepted.status_code == 202, accepted.text
        self.wait(accepted.json()["id"])
        answer = self.client.get(accepted.json()["download_link"])
        assert answer.status_code == 200, answer.text
        return answer.content

    def wait(self, record_id: str) -> dict[str, object]:
        """Return the record once it is done or failed."""
        link, prefer = f"/records/{record_id}", {"Prefer": "wait=30"}
        record: dict[str, object] = {}

        def is_finished() -> bool:
            answer = self.client.get(link, headers=prefer)
            assert answer.status_code == 200, answer.text
            record.update(answer.json())
            return record["status"] in ("done", "failed")

        until(is_finished, state=lambda: record)
        return record


def new_user(client: httpx.Client, **headers: str) -> User:
    """Create a user of the service that the client calls."""
    created = client.post("/users", json={"name": "alexander"}, headers=headers).json()
    return User(client, created["id"], created["token"])


@pytest.fixture
def user(client: httpx.Client) -> User:
    return new_user(client)


@pytest.fixture(scope="session")
def database_url(stack: Stack) -> str:
    """A migrated database beside the service's, whose workers and sweeper know nothing of it."""
    url = new_database(stack)
    with pytest.MonkeyPatch.context() as environment:
        for name in ("REDIS_URL", "MEDIA_DIR"):
            environment.setenv(name, stack.environment[name])
        environment.setenv("DATABASE_URL", url)
        with fresh_settings():
            migrate()
    return url


@pytest.fixture(scope="session")
def redis(stack: Stack) -> Iterator[subprocess.Popen[bytes]]:
    """A Valkey beside the service's, which no worker listens to and which may be stopped."""
    socket = stack.runtime_dir / "test.sock"
    arguments = ("--port", "0", "--unixsocket", str(socket), "--save", "")
    command = [stack.environment["VALKEY"], *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert any(b"Ready to accept connections" in line for line in process.stdout)
        yield process
        process.kill()


@pytest.fixture
def database(
    database_url: str,
    redis: subprocess.Popen[bytes],
    stack: Stack,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[None]:
    """Settings and sessions of this process, for a database without rows, an empty Redis and volume."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", f"redis+socket://{stack.runtime_dir}/test.sock")
    monkeypatch.setenv("MEDIA_DIR", str(tmp_path))
    with fresh_settings():
        with db.transaction() as session:
            tables = ", ".join(Base.metadata.tables)
            session.execute(text(f"TRUNCATE {tables}"))
        yield


@contextmanager
def fresh_settings() -> Iterator[None]:
    get_settings.cache_clear()
    db.get_engine.cache_clear()
    yield
    db.get_engine().dispose()
    get_settings.cache_clear()
    db.get_engine.cache_clear()


def new_database(stack: Stack) -> str:
    url = make_url(stack.environment["DATABASE_URL"])
    name = f"test_{uuid4().hex}"
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return url.set(database=name).render_as_string(hide_password=False)


def migrate(revision: str = "head") -> None:
    command.upgrade(Config(toml_file=ROOT / "pyproject.toml"), revision)
