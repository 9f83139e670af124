"""Bounds on the time and memory of a piece of code."""

import signal
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

MEMORY_BYTES = 64 << 20


@contextmanager
def bounded(processor_s: float, memory_bytes: int = MEMORY_BYTES) -> Iterator[None]:
    """Fail if the block computes longer or allocates more. Ends a hang. Waiting for the processor does not count."""
    before = signal.signal(signal.SIGVTALRM, _too_long)
    tracemalloc.start(1)
    signal.setitimer(signal.ITIMER_VIRTUAL, processor_s)
    try:
        yield
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
        tracemalloc.stop()
    assert peak_bytes < memory_bytes


def _too_long(_signal: int, _frame: FrameType | None) -> None:
    raise AssertionError("it takes too much processor time")
