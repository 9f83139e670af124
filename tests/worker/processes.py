"""Read processes from Linux's /proc, and suspend them."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def children() -> list[int]:
    """Return the processes that this one started and that have not ended."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, rest = stat.read_text().split(" (", 1)
        except (FileNotFoundError, ProcessLookupError):
            continue
        state, parent = rest.rsplit(") ", 1)[1].split()[:2]
        if int(parent) == os.getpid() and state != "Z":
            found.append(int(pid))
    return found


def peak_kib(pid: int | str) -> int:
    """Return the peak memory of one process, or 0 when it has ended. `getrusage` would count its parent's too."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line), 0)


@contextmanager
def suspended(*groups: int) -> Iterator[None]:
    """Suspend process groups, each named by its first process. A worker's ffmpegs are in groups of their own."""
    _signal(groups, signal.SIGSTOP)
    try:
        yield
    finally:
        _signal(groups, signal.SIGCONT)


def _signal(groups: tuple[int, ...], number: signal.Signals) -> None:
    for group in groups:
        assert group > 0, "0 would be our own group"
        with suppress(ProcessLookupError):
            os.killpg(group, number)
