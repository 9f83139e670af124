"""Processes of the tests: what Linux tells of them, in /proc, and another ffmpeg to run."""

import os
from pathlib import Path

from worker.audio import ffmpeg

_OTHER_FFMPEG = """#!/bin/sh
for argument; do
    set -- "$@" "$argument"
    [ "$argument" != libmp3lame ] || set -- "$@" -compression_level 7
    shift
done
exec "{executable}" "$@"
"""


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


def another_ffmpeg(folder: Path) -> Path:
    """Return an ffmpeg for IMAGEIO_FFMPEG_EXE that has another fingerprint and makes other VBR frames than ours."""
    script = folder / "ffmpeg"
    script.write_text(_OTHER_FFMPEG.format(executable=ffmpeg.EXECUTABLE))
    script.chmod(0o755)
    return script
