"""The one place that starts ffmpeg. Bytes go in by stdin and come out by stdout; it opens no file, no URL, no playlist.

It runs in a session of its own, without an environment, under limits of memory, processor time and file size.
It dies with us: with both ends on pipes it ends within seconds of our death. Whatever goes wrong with it is an
`EncodeFailed` whose message says nothing of ffmpeg; what it wrote to stderr goes to the log.
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
_ALWAYS = ["-nostdin", "-hide_banner", "-loglevel", "error"]
# One filter thread is as fast, and the stacks of one for every core would not fit into the address space.
_ALWAYS += ["-filter_threads", "1", "-protocol_whitelist", "pipe"]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may take. `check` is called often; what it raises ends the run. `core` is the only one to use."""

    memory_bytes: int
    timeout_s: float
    check: Callable[[], None]
    core: int | None = None


def run(arguments: list[str], stdin: Generator[bytes], limits: Limits) -> Generator[bytes]:
    """What ffmpeg writes, in chunks, for what it is fed. What `stdin` raises is passed on.

    Raises EncodeFailed when ffmpeg fails or takes too long. Closing the generator kills ffmpeg.
    """
    with tempfile.TemporaryFile() as messages:
        with _started(arguments, messages, limits) as process, _fed(process, stdin) as feeder:
            yield from _output(process, limits)
        if feeder.error is not None:
            raise feeder.error
        if process.returncode != 0:
            messages.seek(0)
            said = messages.read(_LOGGED_BYTES).decode(errors="replace")
            log.warning("ffmpeg failed", returncode=process.returncode, stderr=said)
            raise EncodeFailed


@contextmanager
def _started(
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
        restore_signals=False,  # SIGXFSZ stays ignored: too many messages are no reason to die
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
def _fed(process: subprocess.Popen[bytes], chunks: Generator[bytes]) -> Iterator["_Feeder"]:
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
    # Set from outside: a preexec_fn would make Popen copy our whole address space. macOS has neither of these.
    if not hasattr(resource, "prlimit"):
        return
    # ffmpeg's threads hand each other every frame; as a batch job they do not wake each other out of turn.
    with suppress(ProcessLookupError):
        os.sched_setscheduler(pid, os.SCHED_BATCH, os.sched_param(0))
        if limits.core is not None:
            os.sched_setaffinity(pid, {limits.core})
    for kind, most in (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_CPU, int(limits.timeout_s) + 1),
        (resource.RLIMIT_FSIZE, _MESSAGES_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        with suppress(ProcessLookupError):
            resource.prlimit(pid, kind, (most, most))


def _output(process: subprocess.Popen[bytes], limits: Limits) -> Iterator[bytes]:
    """What comes, until the end."""
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
        # A broken pipe is no error here: ffmpeg's exit status says why it stopped reading.
        with closing(self._chunks), suppress(BrokenPipeError), self._pipe:
            try:
                for chunk in self._chunks:
                    rest = memoryview(chunk)
                    while rest:
                        rest = rest[self._pipe.write(rest) :]
            except BrokenPipeError:
                raise
            except Exception as error:  # noqa: BLE001 -- it is raised again where ffmpeg is read
                self.error = error
