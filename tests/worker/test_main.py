"""`python -m worker`, as Compose and supervisord call it."""

import os
import subprocess
import sys

import httpx
import numpy as np
import psutil
import pytest

from local.machine import free_port, is_answering
from shared import queue
from shared.db import RecordStatus
from tests import wavs
from tests.conftest import ROOT, TIMEOUT_S
from tests.shared.db import rows
from tests.waiting import WITHIN_S
from tests.worker.mp3.mp3_material import music
from tests.worker.stored import ffmpegs, store, until

COMMAND = [sys.executable, "-m", "worker"]


@pytest.mark.usefixtures("database")
def test_a_worker_finishes_its_segment_after_sigterm() -> None:
    minute = np.tile(music(1, 44100, 2).samples, (60, 1))
    files, job_ids = store(wavs.build(minute), segment_s=300)
    command = [*COMMAND, "main", "--name", "stopping"]
    with subprocess.Popen(
        command, cwd=ROOT, env=os.environ | {"WORKER_CONCURRENCY": "1"}
    ) as worker:
        try:
            queue.publish(job_ids[0], queue.SEGMENTS)
            until(lambda: _suspend_ffmpeg(worker.pid))
            worker.terminate()
            for ffmpeg in ffmpegs(psutil.Process(worker.pid)):
                ffmpeg.resume()
            assert worker.wait(WITHIN_S) == 0
        finally:
            worker.kill()
    assert rows.record(files.record_id).status == RecordStatus.DONE
    assert rows.job(job_ids[0]).attempt == 1


def _suspend_ffmpeg(worker_pid: int) -> bool:
    """Return True once an ffmpeg that encodes is suspended. A worker also runs one to ask for its version."""
    for ffmpeg in ffmpegs(psutil.Process(worker_pid)):
        if "-version" not in ffmpeg.cmdline():
            ffmpeg.suspend()
            return True
    return False


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["beat"], ["main", "--queues", "clips"]])
def test_an_unknown_role_or_option_is_refused(arguments: list[str]) -> None:
    environment = os.environ | {"REDIS_URL": "-", "DATABASE_URL": "-", "MEDIA_DIR": "-"}
    done = subprocess.run(
        [*COMMAND, *arguments], cwd=ROOT, env=environment, capture_output=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith(b"usage: python -m worker")


@pytest.mark.usefixtures("database")
def test_flower_shows_the_queues_of_workers_that_start_later() -> None:
    port = free_port()
    flower = [*COMMAND, "flower", "--port", str(port)]
    environment = os.environ | {"FLOWER_BASIC_AUTH": "user:password"}
    with (
        subprocess.Popen([*COMMAND, "deliveries"], cwd=ROOT) as worker,
        subprocess.Popen(flower, cwd=ROOT, env=environment) as process,
        httpx.Client(
            base_url=f"http://127.0.0.1:{port}/api", auth=("user", "password"), trust_env=False
        ) as client,
    ):
        try:
            until(lambda: is_answering(port))
            until(lambda: client.get("/workers?refresh=1", timeout=TIMEOUT_S).json())
            queues = client.get("/queues/length", timeout=TIMEOUT_S).json()["active_queues"]
            assert {each["name"] for each in queues} == {*queue.ALL}
        finally:
            worker.kill()
            process.kill()
