"""How the time of some work grows with its size, so that a slow or busy machine changes no result."""

import time
from collections.abc import Callable

FACTOR = 8
"""Between the two sizes. Linear work takes about 8 times as long, quadratic work 64 times."""


def grows_linearly(
    work: Callable[[bytes], object], head: bytes, repeated: bytes, count: int
) -> bool:
    """Return whether the processor time of `work` grows in proportion to the repeated bytes after `head`.

    Each size has three runs, because other work of the machine only adds to a time. The first run of the large size
    that is fast enough decides.
    """
    small, large = (head + repeated * number for number in (count // FACTOR, count))
    limit_s = 3 * FACTOR * min(_cpu_s(work, small) for _ in range(3))
    return any(_cpu_s(work, large) < limit_s for _ in range(3))


def _cpu_s(work: Callable[[bytes], object], wav: bytes) -> float:
    started_s = time.process_time()
    work(wav)
    return time.process_time() - started_s
