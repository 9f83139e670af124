"""Reading from sockets into the buffer of the process, with uvloop as in the API."""

import asyncio
import os
import socket
import subprocess
import sys

import pytest
import uvloop

from api.http.large_reads import READ_BYTES, LargeReads
from tests.conftest import ROOT

UVLOOP_READ_BYTES = 256_000
SENT = os.urandom(8 * READ_BYTES + 1)

PAGE_BYTES = 4096
PIECES = 4
COUNT_FAULTS = f"""
from resource import RUSAGE_SELF, getrusage
from api.http import keep_freed_memory
keep_freed_memory()
[b"x" * {READ_BYTES} for _ in range({PIECES})]
before = getrusage(RUSAGE_SELF).ru_minflt
for _ in range(10):
    [b"x" * {READ_BYTES} for _ in range({PIECES})]
print(getrusage(RUSAGE_SELF).ru_minflt - before)
"""


class Recorder(asyncio.Protocol):
    """Keeps the data, answers as many bytes of its own, and notes the events."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.events: list[str] = []
        self.paused = asyncio.Event()
        self.lost = asyncio.Event()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        self._transport = transport
        transport.set_protocol(LargeReads(self))

    def data_received(self, data: bytes) -> None:
        self.received += data
        self._transport.write(bytes(len(data)))

    def pause_writing(self) -> None:
        self.paused.set()

    def resume_writing(self) -> None:
        self.events.append("resume")

    def eof_received(self) -> bool:
        self.events.append("eof")
        return True

    def connection_lost(self, _: Exception | None) -> None:
        self.lost.set()


async def _exchange() -> Recorder:
    ours, theirs = socket.socketpair()
    loop = asyncio.get_running_loop()
    _, recorder = await loop.connect_accepted_socket(Recorder, ours)
    reader, writer = await asyncio.open_connection(sock=theirs)
    writer.write(SENT)
    writer.write_eof()
    await recorder.paused.wait()
    assert await reader.readexactly(len(SENT)) == bytes(len(SENT))
    writer.close()
    recorder._transport.close()
    await recorder.lost.wait()
    return recorder


def test_another_protocol_gets_the_same_events() -> None:
    recorder = uvloop.run(_exchange())
    assert recorder.received == SENT
    assert recorder.events.count("eof") == 1
    assert "resume" in recorder.events


def test_a_piece_is_larger_than_those_of_uvloop() -> None:
    recorder = Recorder()
    assert len(LargeReads(recorder).get_buffer(-1)) == READ_BYTES > UVLOOP_READ_BYTES


@pytest.mark.slow
@pytest.mark.exhaustive
def test_freed_memory_is_used_again() -> None:
    """The test counts page faults in a separate process."""
    command = [sys.executable, "-c", COUNT_FAULTS]
    faults = int(subprocess.run(command, capture_output=True, check=True, cwd=ROOT).stdout)
    assert faults < PIECES * READ_BYTES / PAGE_BYTES
