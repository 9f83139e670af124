"""How the time of some work grows with its size, so that a slow or busy machine changes no result."""

import time
from collections.abc import Callable

FACTOR = 8
"""Between the two sizes. Linear work takes about 8 times as long, quadratic work 64 times."""


def grows_linearly(
    work: Callable[[bytes], object], head: bytes, repeated: bytes, count: int
) -> bool:
    """Return whether the processor time of `work` grows in proportion to the repeated bytes after `head`."""
    small, large = (head + repeated * number for number in (count // FACTOR, count))
    return _least_cpu_s(work, large) < 3 * FACTOR * _least_cpu_s(work, small)


def _least_cpu_s(work: Callable[[bytes], object], wav: bytes) -> float:
    """Return the least time of three runs, because other work of the machine only adds to it."""
    times_s = []
    for _ in range(3):
        started_s = time.process_time()
        work(wav)
        times_s.append(time.process_time() - started_s)
    return min(times_s)
