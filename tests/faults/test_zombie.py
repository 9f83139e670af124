"""A worker that stands still for longer than its lease, and comes back."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil
import pytest

from tests.conftest import ROOT
from tests.faults.conftest import CLIP_SAMPLES, GONE_WITHIN_S, Service
from tests.worker.stored import until


@pytest.fixture
def second_worker(service: Service) -> Iterator[None]:
    """Another machine's worker."""
    command = [sys.executable, "-m", "worker", "main", "--name", "second"]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=service.stack.environment | {"WORKER_CONCURRENCY": "1"},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        yield
        os.killpg(process.pid, signal.SIGTERM)


@contextmanager
def _standing_still(pid: int) -> Iterator[None]:
    """A worker and its pool, but not its ffmpegs, which have another process group."""
    os.killpg(pid, signal.SIGSTOP)
    yield
    os.killpg(pid, signal.SIGCONT)


def test_a_worker_that_comes_back_from_the_dead_changes_nothing(
    service: Service, clip: bytes, second_worker: None
) -> None:
    record_id = service.upload(clip)
    (ffmpeg,) = service.frozen_ffmpegs()
    with _standing_still(service.stack.pid("worker")):
        ffmpeg.resume()
        service.assert_converted(record_id, CLIP_SAMPLES)
        done = service.user.wait(record_id)
        before = service.mp3(record_id).stat()
        assert service.attempts(record_id) == [2]
        assert _runs(ffmpeg)
    until(lambda: not _runs(ffmpeg), GONE_WITHIN_S)
    assert service.user.wait(record_id) == done
    assert service.mp3(record_id).stat() == before
    assert service.attempts(record_id) == [2]


def _runs(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE
    return False
