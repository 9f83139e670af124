"""What Linux tells of processes, in /proc."""

import os
from pathlib import Path


def children() -> list[int]:
    """The processes that we started and that have not ended."""
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
    """The most memory that a process has had, of its own; 0 when it has ended. `getrusage` counts its parent's too."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line), 0)
