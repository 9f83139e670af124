"""The clocks of machines are wrong, differ and jump. Only the database's decides, and only when a record expires."""

import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from local.stack import Stack
from tests.conftest import TIMEOUT_S, new_user, running_stack
from tests.faults.conftest import Service, service_of, stopped

pytestmark = pytest.mark.exhaustive

CLOCKS = ("api", "main", "sweeper", "postgres")
HOUR_S = 3600
LIBRARY_SOURCE = Path(__file__).with_name("shifted_clock.c")
WRAPPER = """#!/bin/sh
case $2 in api) clock=api ;; worker) clock=$3 ;; *) clock={program.name} ;; esac
test ! -e {folder}/$clock || export LD_PRELOAD={folder}/shifted_clock.so SHIFTED_CLOCK={folder}/$clock
exec {program} "$@"
"""


class Clocks:
    """Shifts the wall clocks of programs, also while they run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        compiler = ["cc", "-shared", "-fPIC", "-O2", "-o", str(folder / "shifted_clock.so")]
        subprocess.run([*compiler, str(LIBRARY_SOURCE)], check=True)
        for name in CLOCKS:
            (folder / name).write_bytes(bytes(8))

    def shift(self, *hours: int) -> None:
        """Shift the clocks in the order of CLOCKS."""
        for name, shift in zip(CLOCKS, hours, strict=True):
            with (self._folder / name).open("r+b") as file:
                file.write(struct.pack("=q", shift * HOUR_S))

    def wrap(self, program: Path) -> Path:
        """Return a script that starts the program under its clock."""
        script = self._folder / "bin" / program.name
        script.parent.mkdir(exist_ok=True)
        script.write_text(WRAPPER.format(program=program, folder=self._folder))
        script.chmod(0o755)
        return script


@pytest.fixture(scope="module")
def clocks() -> Iterator[Clocks]:
    if shutil.which("cc") is None:
        assert "CI" not in os.environ, "CI must have a C compiler"
        pytest.skip("there is no C compiler on this machine")
    with tempfile.TemporaryDirectory(prefix="wav2mp3-clocks-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL runs as another user
        yield Clocks(Path(folder))


@pytest.fixture(scope="module")
def shifted_stack(clocks: Clocks) -> Iterator[Stack]:
    settings = {"LEASE_S": "3", "SWEEP_INTERVAL_S": "1", "WORKER_CONCURRENCY": "2"}
    with tempfile.TemporaryDirectory(prefix="wav2mp3-") as folder:
        stack = Stack.on_free_ports(Path(folder, "data"), settings)
        python = clocks.wrap(Path(stack.environment["PYTHON"]))
        postgres = clocks.wrap(Path(stack.environment["POSTGRES_BIN"], "postgres"))
        stack.environment |= {"PYTHON": str(python), "POSTGRES_BIN": str(postgres.parent)}
        clocks.shift(1, -1, 1, 0)
        with running_stack(stack), stopped(stack, "clips"):
            yield stack


@pytest.fixture
def shifted(shifted_stack: Stack) -> Iterator[Service]:
    url = shifted_stack.api_url
    with (
        httpx.Client(base_url=url, timeout=TIMEOUT_S, trust_env=False) as client,
        service_of(shifted_stack, new_user(client)) as service,
    ):
        yield service


@pytest.mark.slow
def test_the_clocks_are_shifted(shifted: Service, clocks: Clocks) -> None:
    clocks.shift(1, 0, 0, -1)
    answer = shifted.user.client.get("/health/live")
    with shifted.engine.connect() as connection:
        database_s = connection.execute(text("SELECT now()")).scalar_one().timestamp()
    api_s = parsedate_to_datetime(answer.headers["Date"]).timestamp()
    assert 1.5 * HOUR_S < api_s - database_s < 2.5 * HOUR_S


@pytest.mark.slow
@pytest.mark.parametrize("hours", [(1, -1, 1, 0), (-1, 1, -1, 0), (0, 0, 0, 1), (0, 0, 0, -1)])
def test_a_clock_that_jumps_delays_no_repair(
    shifted: Service, clocks: Clocks, clip: bytes, hours: tuple[int, ...]
) -> None:
    (record_id,), (ffmpeg,) = shifted.begin(clip)
    clocks.shift(*hours)
    shifted.kill("worker")
    shifted.until(lambda: shifted.attempts(record_id) == [2])
    ffmpeg.resume()
    shifted.assert_converted(record_id)
