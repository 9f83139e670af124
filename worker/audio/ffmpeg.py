"""Runs ffmpeg; no other module does. Bytes go in by stdin and come out by stdout. It opens no file, URL or playlist.

ffmpeg runs in a separate session, with an empty environment and limits on memory, processor time and file size. If
our process dies, ffmpeg ends within seconds, because its stdin and stdout are pipes. Every failure of ffmpeg is an
`EncodeFailed` whose message does not mention it. `worker/failed_attempts.py` then makes the job ready again, for
MAX_ATTEMPTS attempts in all. The same happens if ffmpeg is killed. Its stderr goes to the log.
"""

import os
import resource
import select
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from threading import Thread
from typing import IO

import imageio_ffmpeg
import structlog

from shared.errors import EncodeFailed

EXECUTABLE: str = imageio_ffmpeg.get_ffmpeg_exe()
CHECK_EVERY_S = 0.25
_EXIT_WITHIN_S = 10
_READ_BYTES = 1 << 16
_MESSAGES_BYTES = 1 << 16
_LOGGED_BYTES = 1 << 12
_ALWAYS = ["-nostdin", "-hide_banner", "-nostats"]
# One filter thread is as fast, and the stacks of a thread for each core would exceed the limit on memory.
_ALWAYS += ["-filter_threads", "1", "-protocol_whitelist", "pipe"]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one run."""

    memory_bytes: int
    timeout_s: float
    check: Callable[[], None]
    """Called at least every CHECK_EVERY_S. An error that it raises ends the run."""
    core: int | None = None
    """The only CPU core that ffmpeg may use. None: any core."""


def run(
    arguments: list[str],
    stdin: Generator[bytes],
    limits: Limits,
    read_messages: Callable[[str], None] | None = None,
) -> Generator[bytes]:
    """Feed `stdin` to ffmpeg and yield the chunks that it writes. Closing the generator kills ffmpeg.

    `read_messages` gets ffmpeg's last messages, among them the measurements of filters, once ffmpeg has succeeded.
    Raises EncodeFailed if ffmpeg fails or takes too long, and any error of `stdin` and of `limits.check`.
    """
    level = ["-loglevel", "level+info" if read_messages else "error"]
    with tempfile.TemporaryFile() as messages:
        with (
            _ffmpeg_process([*level, *arguments], messages, limits) as process,
            _feeding(process, stdin) as feeder,
        ):
            yield from _read_output(process, limits)
        if feeder.error is not None:
            raise feeder.error
        if process.returncode != 0:
            stderr = _last(messages, _LOGGED_BYTES)
            log.warning("ffmpeg failed", returncode=process.returncode, stderr=stderr)
            raise EncodeFailed
        if read_messages:
            read_messages(_last(messages, _MESSAGES_BYTES))


def _last(messages: IO[bytes], count: int) -> str:
    written = messages.seek(0, os.SEEK_END)
    messages.seek(max(0, written - count))
    return messages.read().decode(errors="replace")


@contextmanager
def _ffmpeg_process(
    arguments: list[str], messages: IO[bytes], limits: Limits
) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [EXECUTABLE, *_ALWAYS, *arguments, "pipe:1"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=messages,
        env={},
        cwd="/",
        start_new_session=True,
        restore_signals=False,  # SIGXFSZ stays ignored: too many messages must not end ffmpeg
        bufsize=0,
    )
    try:
        _limit(process.pid, limits)
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@contextmanager
def _feeding(process: subprocess.Popen[bytes], chunks: Generator[bytes]) -> Iterator["_Feeder"]:
    assert process.stdin is not None
    feeder = _Feeder(process.stdin, chunks)
    feeder.start()
    try:
        yield feeder
        with suppress(subprocess.TimeoutExpired):
            process.wait(_EXIT_WITHIN_S)
    finally:
        process.kill()
        feeder.join(_EXIT_WITHIN_S)


def _limit(pid: int, limits: Limits) -> None:
    # Set from our process, because a preexec_fn would make Popen copy our whole address space. macOS has no prlimit.
    if not hasattr(resource, "prlimit"):
        return
    # ffmpeg's threads pass every frame to each other. Under SCHED_BATCH they do not preempt each other for that.
    with suppress(ProcessLookupError):
        os.sched_setscheduler(pid, os.SCHED_BATCH, os.sched_param(0))
        if limits.core is not None:
            os.sched_setaffinity(pid, {limits.core})
        for kind, limit in (
            (resource.RLIMIT_AS, limits.memory_bytes),
            (resource.RLIMIT_CPU, int(limits.timeout_s) + 1),
            (resource.RLIMIT_FSIZE, _MESSAGES_BYTES),
            (resource.RLIMIT_CORE, 0),
        ):
            resource.prlimit(pid, kind, (limit, limit))


def _read_output(process: subprocess.Popen[bytes], limits: Limits) -> Iterator[bytes]:
    assert process.stdout is not None
    deadline = time.monotonic() + limits.timeout_s
    while True:
        readable, _, _ = select.select([process.stdout], [], [], CHECK_EVERY_S)
        limits.check()
        if time.monotonic() > deadline:
            log.warning("ffmpeg took too long", timeout_s=limits.timeout_s)
            raise EncodeFailed
        if readable:
            chunk = process.stdout.read(_READ_BYTES)
            if not chunk:
                return
            yield chunk


class _Feeder(Thread):
    def __init__(self, pipe: IO[bytes], chunks: Generator[bytes]) -> None:
        super().__init__(daemon=True)
        self._pipe = pipe
        self._chunks = chunks
        self.error: Exception | None = None

    def run(self) -> None:
        # Ignore a broken pipe here: ffmpeg's exit status tells why it stopped reading.
        with closing(self._chunks), suppress(BrokenPipeError), self._pipe:
            try:
                for chunk in self._chunks:
                    rest = memoryview(chunk)
                    while rest:
                        rest = rest[self._pipe.write(rest) :]
            except BrokenPipeError:
                raise
            except Exception as error:  # noqa: BLE001 -- `run` raises it again
                self.error = error
