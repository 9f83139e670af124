"""One slot or four, in whatever order and from whichever worker: the same bytes. Real Celery workers encode here."""

import os
import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil
import pytest

from shared import db, queue
from shared.db import RecordStatus
from shared.media import RecordFiles
from tests import wavs
from tests.conftest import ROOT
from tests.shared.db import rows
from tests.worker import stored
from tests.worker.mp3.mp3_material import music
from tests.worker.stored import ffmpegs, until

pytestmark = pytest.mark.usefixtures("database")

SEGMENTS = 8
SEGMENT_S = 15
"""so that each keeps an ffmpeg busy for long enough to be seen"""
DONE_WITHIN_S = 20


@pytest.fixture(scope="module")
def wav() -> bytes:
    return wavs.build(music(SEGMENTS * SEGMENT_S, 44100, 2).samples)


@contextmanager
def worker(name: str, slots: int) -> Iterator[psutil.Process]:
    """As the service starts it, on the test's own database, queue and volume."""
    command = [sys.executable, "-m", "worker", "main", "--name", name]
    environment = os.environ | {"WORKER_CONCURRENCY": str(slots)}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=-3, stderr=-3) as popen:
        process = psutil.Process(popen.pid)
        try:
            until(lambda: _is_ready(name), DONE_WITHIN_S)
            yield process
        finally:  # at once, since a worker that is asked to end waits for an ffmpeg that is suspended
            for each in [process, *process.children(recursive=True)]:
                each.kill()


def _is_ready(name: str) -> bool:
    """Before, its ffmpeg is one that is only asked for its version."""
    with db.transaction() as session:
        return f"{name}@{socket.gethostname()}" in db.workers.alive(session, "main")


def publish(job_ids: list[int]) -> None:
    for job_id in job_ids:
        assert queue.publish(job_id, queue.SEGMENTS)


def mp3(files: RecordFiles) -> bytes:
    until(lambda: rows.record(files.record_id).status == RecordStatus.DONE, DONE_WITHIN_S)
    return files.mp3.read_bytes()


def all_at_once(running: list[psutil.Process], slots: int) -> list[psutil.Process]:
    """The ffmpegs of all slots, each stopped in the midst of its work."""
    held: list[psutil.Process] = []

    def freeze() -> bool:
        held[:] = [each for worker in running for each in ffmpegs(worker)]
        with suppress(psutil.NoSuchProcess):
            for process in held:
                process.suspend()
            return [process.status() for process in held] == [psutil.STATUS_STOPPED] * slots
        return False

    until(freeze, DONE_WITHIN_S)
    return held


def test_one_slot_and_four_of_two_workers_make_the_same_mp3_byte_for_byte(wav: bytes) -> None:
    one_by_one, job_ids = stored.store(wav, segment_s=SEGMENT_S)
    assert len(job_ids) == SEGMENTS
    with worker("alone", 1):
        publish(job_ids)
        expected = mp3(one_by_one)

    together, job_ids = stored.store(wav, segment_s=SEGMENT_S)
    random.Random(5).shuffle(job_ids)
    with worker("one", 2) as one, worker("two", 2) as two:
        publish(job_ids)
        encoding = all_at_once([one, two], 4)
        for process in reversed(encoding):
            process.resume()
        assert mp3(together) == expected
