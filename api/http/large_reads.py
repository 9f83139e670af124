"""Reads from sockets into one large buffer of the process.

uvloop reads at most 250 KiB at a time, and copies each piece before the parser copies the body out of it. A fast upload
then wakes the application four times as often, and its bytes are copied once more.
"""

import asyncio

READ_BYTES = 2**20
KEPT_BYTES = 8 * 2**20
"""glibc keeps up to twice this size, which is more than a fast upload needs."""
_received = memoryview(bytearray(READ_BYTES))
"""All connections share it: the event loop reads the next piece only after the protocol has parsed this piece."""


class LargeReads(asyncio.BufferedProtocol):
    """Reads for another protocol. Its `data_received` must copy the data: the next piece overwrites the buffer."""

    def __init__(self, protocol: asyncio.Protocol) -> None:
        self._protocol = protocol

    def get_buffer(self, _: int) -> memoryview:
        return _received

    def buffer_updated(self, nbytes: int) -> None:
        # The parser copies the bodies, so a copy for `data_received` would be a second one.
        self._protocol.data_received(_received[:nbytes])  # type: ignore[arg-type]

    def eof_received(self) -> bool | None:
        return self._protocol.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._protocol.connection_lost(exc)

    def pause_writing(self) -> None:
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._protocol.resume_writing()


def keep_freed_memory() -> None:
    """Make glibc keep freed memory for the next pieces. Returning and fetching pages costs as much as reading them.

    Freeing a block sets glibc's thresholds: it then keeps up to twice the block's size (mallopt(3), M_MMAP_THRESHOLD).
    """
    bytes(KEPT_BYTES)
