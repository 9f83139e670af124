"""The real service, seen from below: its processes, rows, queues and files. Each test leaves it whole and idle."""

import json
import os
import signal
import subprocess
import sys
from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID, uuid4

import numpy as np
import psutil
import pytest
from redis import Redis
from sqlalchemy import Engine, Row, create_engine, text

from local.stack import Stack
from tests import waiting
from tests.conftest import ROOT, User
from tests.wavs import build
from tests.worker.mp3 import mp3_material
from tests.worker.processes import suspended
from tests.worker.stored import ffmpegs

RATE_HZ = 48000
CHANNELS = 2
CLIP_SAMPLES = 85 * RATE_HZ + 123
RECORDS = "SELECT id, status FROM records WHERE user_id = :id"
JOBS = "SELECT id, kind, index, state, attempt FROM jobs WHERE record_id = :id ORDER BY kind, index"
WORKERS = "SELECT name FROM workers WHERE stopped_at IS NULL"

T = TypeVar("T")


@dataclass
class Service:
    stack: Stack
    user: User
    engine: Engine
    redis: Redis
    suspended: list[psutil.Process] = field(default_factory=list)
    """every ffmpeg that the test has suspended so far"""

    def until(self, condition: Callable[[], T], every_s: float = waiting.EVERY_S) -> T:
        return waiting.until(condition, every_s=every_s, state=self._state)

    def _state(self) -> str:
        programs = self.stack.supervisor.getAllProcessInfo()
        return "\n".join(
            [
                *(f"{each['name']}: {each['statename']}, pid {each['pid']}" for each in programs),
                *(f"{each}: {self._rows(JOBS, each.id)}" for each in self.records()),
                *(f"{name}: {self.queued(name)}" for name in ("clips", "segments")),
                f"files: {self.files()}",
            ]
        )

    def records(self) -> Sequence[Row[Any]]:
        return self._rows(RECORDS, UUID(self.user.id))

    def encode_jobs(self, record_id: str) -> list[Row[Any]]:
        return [job for job in self._rows(JOBS, UUID(record_id)) if job.kind == "encode"]

    def _rows(self, query: str, identifier: UUID) -> Sequence[Row[Any]]:
        with self.engine.connect() as connection:
            return connection.execute(text(query), {"id": identifier}).all()

    def _workers(self) -> list[str]:
        with self.engine.connect() as connection:
            return list(connection.scalars(text(WORKERS)))

    def attempts(self, record_id: str) -> list[int]:
        """Return how many times the encoding of each segment was begun."""
        return [job.attempt for job in self.encode_jobs(record_id)]

    def until_published(self, *record_ids: str) -> set[str]:
        """Wait until each ready job of the records has a task on a queue. Return the ids of the jobs."""
        jobs = [job for record_id in record_ids for job in self.encode_jobs(record_id)]
        ready = {str(job.id) for job in jobs if job.state == "ready"}
        self.until(lambda: ready <= self.queued("clips") | self.queued("segments"))
        return ready

    def queued(self, name: str) -> set[str]:
        """Return the ids of the jobs that have a task on a queue. Tasks of other jobs, or second ones, may be there."""
        messages = [json.loads(each) for each in self.redis.lrange(name, 0, -1)]
        return {json.loads(b64decode(message["body"]))[0][0] for message in messages}

    def upload(self, wav: bytes, filename: str = "a.wav", **options: int) -> str:
        accepted = self.user.upload(wav, filename, **options)
        assert accepted.status_code == 202, accepted.text
        return str(accepted.json()["id"])

    def begin(
        self, wav: bytes, count: int = 1, **options: int
    ) -> tuple[list[str], list[psutil.Process]]:
        """Upload a WAV `count` times. Return the records and their ffmpegs, suspended while they encode."""
        # else the first ffmpeg might end before the last upload
        with suspended(self.stack.pid("worker")):
            record_ids = [self.upload(wav, f"{index}.wav", **options) for index in range(count)]
        return record_ids, self.suspend_ffmpegs(count)

    def suspend_ffmpegs(self, count: int = 1) -> list[psutil.Process]:
        """Suspend the next `count` ffmpegs of the worker while they encode."""
        worker, before = psutil.Process(self.stack.pid("worker")), len(self.suspended)

        def suspend() -> bool:
            for process in ffmpegs(worker):
                if process not in self.suspended and len(self.suspended) < before + count:
                    with suppress(psutil.NoSuchProcess):
                        process.suspend()
                        self.suspended.append(process)
            return len(self.suspended) == before + count

        self.until(suspend, every_s=0.002)
        return self.suspended[before:]

    @contextmanager
    def another_worker(self, **settings: str) -> Iterator[None]:
        """Run a second worker, as another machine would, while the block runs."""
        name = f"another-{uuid4()}"
        with subprocess.Popen(
            [sys.executable, "-m", "worker", "main", "--name", name],
            cwd=ROOT,
            env=self.stack.environment | settings,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        ) as process:
            try:
                self.until(lambda: any(each.startswith(name) for each in self._workers()))
                yield
            finally:
                os.killpg(process.pid, signal.SIGKILL)

    def kill(self, program: str) -> None:
        """Kill a program and its children. Return when the supervisor has started it again."""
        pid = self.stack.pid(program)
        os.killpg(pid, signal.SIGKILL)
        self.until(lambda: self.stack.pid(program) not in (0, pid))

    def files(self) -> set[str]:
        folder = Path(self.stack.environment["MEDIA_DIR"]) / self.user.id
        return {path.name for path in folder.glob("*")}

    def mp3(self, record_id: str) -> Path:
        return Path(self.stack.environment["MEDIA_DIR"]) / self.user.id / f"{record_id}.mp3"

    def assert_converted(
        self, record_id: str, samples: int = CLIP_SAMPLES, channels: int = CHANNELS
    ) -> None:
        record = self.user.wait(record_id)
        assert record["status"] == "done", record
        assert len(mp3_material.decode(self.mp3(record_id), channels)) == samples

    def assert_idle(self) -> None:
        """Wait until every program runs, no ffmpeg of this test does, and only the files of ended records are left."""
        self.until(self._all_programs_run)
        self.until(self.stack.is_ready)
        self.until(lambda: not any(map(waiting.is_running, self.suspended)))
        self.until(lambda: self.files() == self._needed_files())

    def _all_programs_run(self) -> bool:
        programs = self.stack.supervisor.getAllProcessInfo()
        return {each["name"] for each in programs if each["statename"] != "RUNNING"} == {"clips"}

    def _needed_files(self) -> set[str]:
        kept = {"done": (".mp3", ".peaks"), "failed": (".wav",)}
        found = self.records()
        return {f"{each.id}{end}" for each in found for end in kept.get(each.status, ())}


def resume(ffmpegs: Sequence[psutil.Process]) -> None:
    for process in ffmpegs:
        with suppress(psutil.NoSuchProcess):
            process.resume()


@contextmanager
def stopped(stack: Stack, program: str) -> Iterator[None]:
    stack.supervisor.stopProcess(program)
    try:
        yield
    finally:
        stack.supervisor.startProcess(program)


@contextmanager
def running(stack: Stack, program: str) -> Iterator[None]:
    stack.supervisor.startProcess(program)
    try:
        yield
    finally:
        stack.supervisor.stopProcess(program)


@pytest.fixture(scope="session")
def clip() -> bytes:
    """Return a WAV of one segment. It is noise, so that ffmpeg takes long enough to be suspended while it encodes."""
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, (CLIP_SAMPLES, CHANNELS))
    return build(noise, sample_rate_hz=RATE_HZ, bits=8)


@pytest.fixture(scope="package")
def one_worker(stack: Stack) -> Iterator[None]:
    """Stop the worker for clips, which would take clips that a test means for the other worker."""
    with stopped(stack, "clips"):
        yield


@pytest.fixture
def service(stack: Stack, user: User, one_worker: None) -> Iterator[Service]:
    with service_of(stack, user) as service:
        yield service


@contextmanager
def service_of(stack: Stack, user: User) -> Iterator[Service]:
    """Look into the stack. At the end let its ffmpegs go on, and check that nothing remains of the test."""
    engine = create_engine(stack.environment["DATABASE_URL"], pool_pre_ping=True)
    socket = stack.environment["REDIS_URL"].removeprefix("redis+socket://")
    with Redis(unix_socket_path=socket) as redis:
        service = Service(stack, user, engine, redis)
        yield service
        resume(service.suspended)
        service.assert_idle()
    engine.dispose()
