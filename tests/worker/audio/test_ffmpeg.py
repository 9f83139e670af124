import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import replace
from itertools import repeat
from pathlib import Path

import pytest

from shared.errors import EncodeFailed, LeaseLost
from tests.worker.processes import children
from worker.audio.ffmpeg import Limits, run

ROOT = Path(__file__).resolve().parents[3]
COPY = ["-f", "s16le", "-sample_rate", "44100", "-ch_layout", "mono", "-i", "pipe:0", "-f", "s16le"]
SILENCE = bytes(1 << 16)

needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")


def nothing() -> None:
    pass


def limits(check: Callable[[], None] = nothing, *, timeout_s: float = 30) -> Limits:
    return Limits(memory_bytes=1 << 30, timeout_s=timeout_s, check=check)


def endless() -> Generator[bytes]:
    yield from repeat(SILENCE)


def these(*chunks: bytes) -> Generator[bytes]:
    yield from chunks


def silent_for(seconds: float) -> Generator[bytes]:
    time.sleep(seconds)
    yield b""


def started_since(before: list[int]) -> list[int]:
    return [pid for pid in children() if pid not in before]


def test_bytes_go_in_and_come_out() -> None:
    chunks = [os.urandom(length) for length in (2, 100_000, 2_000_000)]
    assert b"".join(run(COPY, these(*chunks), limits())) == b"".join(chunks)


def test_no_input_gives_no_output() -> None:
    assert list(run(COPY, these(), limits())) == []


def test_rejected_arguments_fail_without_quoting_ffmpeg() -> None:
    with pytest.raises(EncodeFailed) as failed:
        list(run(["-f", "no such format", "-i", "pipe:0"], endless(), limits()))
    assert failed.value.detail == EncodeFailed().detail


def test_errors_of_the_input_are_raised() -> None:
    def breaks() -> Generator[bytes]:
        yield SILENCE
        raise LeaseLost

    with pytest.raises(LeaseLost):
        list(run(COPY, breaks(), limits()))


def test_endless_messages_block_nothing() -> None:
    noisy = [*COPY[:-2], "-loglevel", "trace", "-af", "ashowinfo", *COPY[-2:]]
    samples = bytes(10_000_000)
    assert sum(map(len, run(noisy, these(samples), limits()))) == len(samples)


@needs_proc
def test_a_killed_ffmpeg_fails_the_encode() -> None:
    before = children()
    stream = run(COPY, endless(), limits())
    next(stream)
    (pid,) = started_since(before)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(EncodeFailed):
        list(stream)
    assert started_since(before) == []


@needs_proc
@pytest.mark.parametrize("stdin", [endless, lambda: silent_for(1)], ids=["busy", "idle"])
def test_errors_of_check_end_ffmpeg(stdin: Callable[[], Generator[bytes]]) -> None:
    before = children()

    def cancel() -> None:
        assert started_since(before)
        raise LeaseLost

    with pytest.raises(LeaseLost):
        list(run(COPY, stdin(), limits(cancel)))
    assert started_since(before) == []


@needs_proc
def test_a_hanging_ffmpeg_times_out() -> None:
    before = children()
    stream = run(COPY, endless(), limits(timeout_s=0.5))
    next(stream)
    os.kill(started_since(before)[0], signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(EncodeFailed):
        list(stream)
    assert time.monotonic() - began < 5
    assert started_since(before) == []


@needs_proc
def test_closing_the_output_ends_ffmpeg() -> None:
    before = children()
    closed = []

    def stdin() -> Generator[bytes]:
        try:
            yield from endless()
        finally:
            closed.append(True)

    with closing(run(COPY, stdin(), limits())) as stream:
        next(stream)
        assert len(started_since(before)) == 1
    assert started_since(before) == []
    assert closed


@needs_proc
def test_ffmpeg_runs_under_limits() -> None:
    before = children()
    with closing(run(COPY, endless(), limits(timeout_s=100))) as stream:
        next(stream)
        (pid,) = started_since(before)
        lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
        assert Path(f"/proc/{pid}/environ").read_bytes() == b""
        assert Path(f"/proc/{pid}/cwd").readlink() == Path("/")
        assert os.getsid(pid) == pid
    soft_and_hard = {line[:26].strip(): line[26:].split()[:2] for line in lines}
    assert soft_and_hard["Max address space"] == [str(1 << 30)] * 2
    assert soft_and_hard["Max cpu time"] == ["101"] * 2
    assert soft_and_hard["Max file size"] == [str(1 << 16)] * 2
    assert soft_and_hard["Max core file size"] == ["0"] * 2


@needs_proc
def test_ffmpeg_runs_on_the_given_core() -> None:
    before = children()
    core = max(os.sched_getaffinity(0))
    with closing(run(COPY, endless(), replace(limits(), core=core))) as stream:
        next(stream)
        (pid,) = started_since(before)
        assert os.sched_getaffinity(pid) == {core}


@needs_proc
def test_ffmpeg_dies_with_the_worker() -> None:
    code = (
        "from tests.worker.audio.test_ffmpeg import *\n"
        "stream = run(COPY, endless(), limits())\n"
        "next(stream)\n"
        "print(*children(), flush=True)\n"
        "time.sleep(60)\n"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        pid = int(worker.stdout.readline())
        worker.kill()
    assert ends_within(pid, seconds=10)


def ends_within(pid: int, seconds: float) -> bool:
    for _ in moments(seconds):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state.startswith("Z"):
            return True
    return False


def moments(seconds: float) -> Iterator[None]:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        yield
        time.sleep(0.05)
