"""Real Celery workers encode here: the MP3 depends neither on their number nor on the order of the segments."""

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import numpy as np
import psutil
import pytest

from shared import queue
from shared.db import RecordStatus
from shared.media import RecordFiles
from tests import wavs
from tests.conftest import ROOT
from tests.shared.db import rows
from tests.worker import stored
from tests.worker.mp3.mp3_material import music
from tests.worker.stored import ffmpegs, until

pytestmark = [pytest.mark.usefixtures("database"), pytest.mark.exhaustive]

SEGMENTS = 8
SEGMENT_S = 20
"""long enough to suspend an ffmpeg while it encodes"""


@pytest.fixture(scope="module")
def wav() -> bytes:
    """Music whose segments all differ. It is rotated, because new music takes seconds to compute."""
    samples = music(SEGMENT_S, 44100, 2).samples
    segments = [np.roll(samples, index * 44100, axis=0) for index in range(SEGMENTS)]
    return wavs.build(np.concatenate(segments))


@contextmanager
def worker(name: str, slots: int) -> Iterator[psutil.Process]:
    """Run a worker as the service does, on the test's own database, queue and volume."""
    command = [sys.executable, "-m", "worker", "main", "--name", name]
    environment = os.environ | {"WORKER_CONCURRENCY": str(slots)}
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=quiet, stderr=quiet) as popen:
        process = psutil.Process(popen.pid)
        try:
            yield process
        finally:  # killed, because a worker that is asked to end would wait for a suspended ffmpeg
            for each in [process, *process.children(recursive=True)]:
                with suppress(psutil.NoSuchProcess):
                    each.kill()


def publish(job_ids: list[int]) -> None:
    for job_id in job_ids:
        assert queue.publish(job_id, queue.SEGMENTS)


def mp3(files: RecordFiles) -> bytes:
    until(lambda: rows.record(files.record_id).status == RecordStatus.DONE)
    return files.mp3.read_bytes()


def suspend_one_in_each_slot(workers: list[psutil.Process], slots: int) -> list[psutil.Process]:
    """Suspend ffmpegs until every slot has one that still encodes. Return them."""
    held: list[psutil.Process] = []

    def suspend_all() -> bool:
        held[:] = [each for worker in workers for each in ffmpegs(worker) if suspend(each)]
        return len(held) == slots

    until(suspend_all, state=lambda: held)
    return held


def suspend(process: psutil.Process) -> bool:
    """Return True if the process is suspended, and False if it has ended or does not stop yet."""
    with suppress(psutil.NoSuchProcess):
        process.suspend()
        return process.status() == psutil.STATUS_STOPPED
    return False


def test_the_mp3_does_not_depend_on_workers(wav: bytes) -> None:
    one_by_one, job_ids = stored.store(wav, segment_s=SEGMENT_S)
    assert len(job_ids) == SEGMENTS
    with worker("alone", 1):
        publish(job_ids)
        expected = mp3(one_by_one)

    together, job_ids = stored.store(wav, segment_s=SEGMENT_S)
    random.Random(5).shuffle(job_ids)
    publish(job_ids)
    with worker("one", 2) as one, worker("two", 2) as two:
        encoding = suspend_one_in_each_slot([one, two], 4)
        for process in reversed(encoding):
            process.resume()
        assert mp3(together) == expected
