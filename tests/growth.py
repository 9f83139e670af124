"""How the time of some work grows with its size, so that a slow or busy machine changes no result."""

import time
from collections.abc import Callable

FACTOR = 8
"""Between the two sizes. Linear work takes about 8 times as long, quadratic work 64 times."""


def grows_linearly(
    work: Callable[[bytes], object], head: bytes, repeated: bytes, count: int
) -> bool:
    """Whether the processor time of `work` grows in proportion to the number of repeated bytes after `head`."""
    small, large = (head + repeated * number for number in (count // FACTOR, count))
    work(small)  # for the first time: caches and imports
    small_s = min(_cpu_s(work, small) for _ in range(3))
    return _cpu_s(work, large) < 3 * FACTOR * small_s


def _cpu_s(work: Callable[[bytes], object], wav: bytes) -> float:
    started_s = time.process_time()
    work(wav)
    return time.process_time() - started_s
