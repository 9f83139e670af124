"""The real service, seen from below: its processes, rows, queues and files. After each test all must be well again."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
import pytest
from redis import Redis
from sqlalchemy import Engine, create_engine, text

from local.stack import Stack
from tests.conftest import User
from tests.wavs import build, sine
from tests.worker.mp3 import mp3_material
from tests.worker.stored import ffmpegs, until

RATE_HZ = 44100
CLIP_SAMPLES = 85 * RATE_HZ + 123
SLOTS = 2
"""what the worker of the test stack encodes at a time"""
RESTARTED_WITHIN_S = 30
GONE_WITHIN_S = 5


@dataclass
class Service:
    stack: Stack
    user: User
    engine: Engine
    redis: Redis
    seen: list[psutil.Process] = field(default_factory=list)
    """every ffmpeg that a test had to do with"""

    def ask(self, query: str, record_id: str) -> list[Any]:
        """The first column of what a query about one record gives."""
        with self.engine.connect() as connection:
            return list(connection.scalars(text(query), {"id": UUID(record_id)}))

    def attempts(self, record_id: str) -> list[int]:
        query = "SELECT attempt FROM jobs WHERE record_id = :id AND kind = 'encode' ORDER BY index"
        return self.ask(query, record_id)

    def upload(self, wav: bytes, filename: str = "a.wav", **options: int) -> str:
        accepted = self.user.upload(wav, filename, **options)
        assert accepted.status_code == 202, accepted.text
        return str(accepted.json()["id"])

    def frozen_ffmpegs(self, count: int = 1) -> list[psutil.Process]:
        """So many of the worker's ffmpegs that were not seen before, each stopped in the midst of its work."""
        before = len(self.seen)

        def freeze() -> bool:
            with suppress(psutil.NoSuchProcess):
                for process in ffmpegs(psutil.Process(self.stack.pid("worker"))):
                    if process not in self.seen:
                        process.suspend()
                        self.seen.append(process)
            return len(self.seen) >= before + count

        until(freeze, RESTARTED_WITHIN_S)
        return self.seen[before:]

    def kill(self, program: str) -> None:
        """The program and its children die at once; returns when the supervisor has started it anew."""
        pid = self.stack.pid(program)
        os.killpg(pid, signal.SIGKILL)
        until(lambda: self._runs_anew(program, pid), RESTARTED_WITHIN_S)

    def _runs_anew(self, program: str, pid: int) -> bool:
        info = self.stack.supervisor.getProcessInfo(program)
        return bool(info["statename"] == "RUNNING" and info["pid"] != pid)

    def files(self) -> set[str]:
        folder = Path(self.stack.environment["MEDIA_DIR"]) / self.user.id
        return {path.name for path in folder.glob("*")}

    def mp3(self, record_id: str) -> Path:
        return Path(self.stack.environment["MEDIA_DIR"]) / self.user.id / f"{record_id}.mp3"

    def assert_converted(self, record_id: str, samples: int, channels: int = 1) -> None:
        """Done, decodable to exactly so many samples, and only once."""
        record = self.user.wait(record_id)
        assert record["status"] == "done", record
        assert len(mp3_material.decode(self.mp3(record_id), channels)) == samples


@pytest.fixture(scope="session")
def clip() -> bytes:
    """One segment, which keeps ffmpeg busy for about a second."""
    return build(sine(CLIP_SAMPLES), sample_rate_hz=RATE_HZ)


@pytest.fixture(scope="package")
def one_worker(stack: Stack) -> Iterator[None]:
    """The process that takes clips alone would take what a test means for the worker."""
    stack.supervisor.stopProcess("clips")
    yield
    stack.supervisor.startProcess("clips")


@pytest.fixture
def service(stack: Stack, user: User, one_worker: None) -> Iterator[Service]:
    engine = create_engine(stack.environment["DATABASE_URL"], pool_pre_ping=True)
    socket = stack.environment["REDIS_URL"].removeprefix("redis+socket://")
    with Redis(unix_socket_path=socket) as redis:
        service = Service(stack, user, engine, redis)
        yield service
        until(stack.is_ready, RESTARTED_WITHIN_S)
        until(lambda: not any(_runs(process) for process in service.seen), GONE_WITHIN_S)
        until(lambda: service.files() == _needed(service), GONE_WITHIN_S)
    engine.dispose()


def _runs(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _needed(service: Service) -> set[str]:
    query = "SELECT id FROM records WHERE user_id = :id AND status = 'done'"
    return {f"{record_id}.mp3" for record_id in service.ask(query, service.user.id)}
