"""A second encoder for tests that mix workers: another fingerprint, and other VBR frames than ours."""

from pathlib import Path

from worker.audio import ffmpeg

_SCRIPT = """#!/bin/sh
for argument; do
    set -- "$@" "$argument"
    [ "$argument" != libmp3lame ] || set -- "$@" -compression_level 7
    shift
done
exec "{executable}" "$@"
"""


def another_ffmpeg(folder: Path) -> Path:
    """Write a script that runs our ffmpeg with less effort. Return its path, for IMAGEIO_FFMPEG_EXE."""
    script = folder / "ffmpeg"
    script.write_text(_SCRIPT.format(executable=ffmpeg.EXECUTABLE))
    script.chmod(0o755)
    return script
