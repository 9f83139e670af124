"""Two builds of the encoder at work, as in a rolling upgrade: no MP3 mixes their bytes."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shared.queue import BY_PRIORITY
from tests.conftest import ROOT
from tests.faults.conftest import RESTARTED_WITHIN_S, Service
from tests.wavs import build, sine
from tests.worker.stored import until
from worker.audio import ffmpeg

RATE_HZ = 8000
RECORDING_S = 12 * 60
RECORDINGS = 4
OTHER_BUILD = f"""#!/bin/sh
# Encodes at another quality than it is asked for, so that its bytes differ.
previous=
for argument; do
    shift
    [ "$previous" = "-q:a" ] && argument=6
    previous=$argument
    set -- "$@" "$argument"
done
exec {ffmpeg.EXECUTABLE} "$@"
"""


@pytest.fixture(scope="module")
def recording() -> bytes:
    return build(sine(RECORDING_S * RATE_HZ, sample_rate_hz=RATE_HZ), sample_rate_hz=RATE_HZ)


@pytest.fixture
def other_build(tmp_path: Path) -> Path:
    script = tmp_path / "ffmpeg"
    script.write_text(OTHER_BUILD)
    script.chmod(0o755)
    return script


@contextmanager
def _worker_with(service: Service, executable: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "celery", "-A", "worker.tasks", "worker", "--concurrency", "2"]
    command += ["--queues", ",".join(BY_PRIORITY), "--hostname", "upgraded@%h"]
    environment = service.stack.environment | {"IMAGEIO_FFMPEG_EXE": str(executable)}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            until(lambda: _is_alive(service), RESTARTED_WITHIN_S)
            yield
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def _is_alive(service: Service) -> bool:
    query = "SELECT 1 FROM workers WHERE name LIKE 'upgraded@%' AND stopped_at IS NULL"
    with service.engine.connect() as connection:
        return connection.exec_driver_sql(query.replace("%", "%%")).first() is not None


def _convert(service: Service, wav: bytes, *filenames: str) -> list[bytes]:
    record_ids = [service.upload(wav, filename) for filename in filenames]
    for record_id in record_ids:
        service.assert_converted(record_id, RECORDING_S * RATE_HZ)
    return [service.mp3(record_id).read_bytes() for record_id in record_ids]


def test_no_mp3_mixes_two_builds(service: Service, recording: bytes, other_build: Path) -> None:
    (old,) = _convert(service, recording, "old.wav")
    with _worker_with(service, other_build):
        service.stack.supervisor.stopProcess("worker")
        try:
            (new,) = _convert(service, recording, "new.wav")
        finally:
            service.stack.supervisor.startProcess("worker")
        assert new != old
        mixed = _convert(service, recording, *(f"{index}.wav" for index in range(RECORDINGS)))
    assert set(mixed) <= {old, new}
