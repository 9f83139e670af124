"""A worker that hangs for longer than its lease, and then goes on."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from local.stack import Stack
from shared.queue import AGAIN
from tests.conftest import ROOT
from tests.faults.conftest import Service
from tests.worker.processes import suspended
from tests.worker.stored import is_running


@contextmanager
def _second_worker(stack: Stack) -> Iterator[None]:
    """Run a worker as another machine would."""
    command = [sys.executable, "-m", "celery", "-A", "worker.tasks", "worker", "--concurrency", "1"]
    command += ["--queues", ",".join((*AGAIN.values(), *AGAIN)), "--hostname", "second@%h"]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=stack.environment,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGTERM)


def test_a_worker_that_lost_its_lease_changes_nothing(service: Service, clip: bytes) -> None:
    (record_id,), (ffmpeg,) = service.begin(clip)
    with suspended(service.stack.pid("worker")), _second_worker(service.stack):
        ffmpeg.resume()
        service.assert_converted(record_id)
        done = service.user.wait(record_id)
        mp3 = service.mp3(record_id).stat()
        attempts = service.attempts(record_id)
        assert attempts > [1]
        assert is_running(ffmpeg)
    service.until(lambda: not is_running(ffmpeg))
    assert service.user.wait(record_id) == done
    assert service.mp3(record_id).stat() == mp3
    assert service.attempts(record_id) == attempts
