"""The fingerprint of this worker's encoder: workers with the same fingerprint make the same bytes of a segment.

The bytes depend on the ffmpeg binary, on the architecture and, on x86, on a few CPU features. ffmpeg's resampler and
its AC-3 decoder have different code for each of these, with different rounding. LAME gives the same bytes with all of
them.

They also depend on our own filters and arguments. REVISION counts their changes.

The environment variable IMAGEIO_FFMPEG_EXE sets the path of another ffmpeg.
"""

import hashlib
import platform
import re
import shutil
from functools import cache
from mmap import ACCESS_READ, mmap
from pathlib import Path

from celery import signals

from worker.audio import ffmpeg

REVISION = 3
"""Increase it with every change that may change the bytes of a segment: filters, gains, arguments of ffmpeg, the
run-in, the packing of frames. Otherwise an MP3 could have segments of two releases.

2: overs are kept, tracks without a mask are mixed alike. 3: infinite samples are limited before mixing, damaged ADPCM
blocks are silent.
"""
_CPU_INFO = Path("/proc/cpuinfo")
_CPU_FEATURES = ("avx", "avx2", "fma", "fma4")
_DIGEST_CHARS = 16
_LAME_NAME = re.compile(rb"(LAME\d\.\d+[abr]?) ?\0")


@cache
def encoder_fingerprint() -> str:
    """Return the encoder's name, the shortened SHA-256 of the ffmpeg binary, our revision, and the CPU family.

    For example "LAME4.1a-0d709a0bed1a43f2-r3-x86_64+avx+avx2+fma". A binary without LAME has the name "Lavc".
    The first call in a process reads the whole binary: 170 MB, 0.15 s of CPU. Raises OSError if it cannot be read.
    """
    path = Path(shutil.which(ffmpeg.EXECUTABLE) or ffmpeg.EXECUTABLE)
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as binary:
        digest = hashlib.sha256(binary).hexdigest()
        names = _LAME_NAME.findall(binary)
    # macOS has no /proc. Its builds of ffmpeg have other hashes, so its fingerprints are unique without CPU features.
    cpu_info = _CPU_INFO.read_text() if _CPU_INFO.exists() else ""
    name = names[0].decode() if names else "Lavc"
    return f"{name}-{digest[:_DIGEST_CHARS]}-r{REVISION}-{cpu_family(platform.machine(), cpu_info)}"


def encoder_name(fingerprint: str) -> str:
    """Return the name that the headers of MP3s give to the encoder with this fingerprint."""
    return fingerprint.partition("-")[0]


@signals.worker_init.connect
def _hash_before_the_pool_forks(**_: object) -> None:
    encoder_fingerprint()


def cpu_family(machine: str, cpu_info: str) -> str:
    """Return the architecture, and the CPU features (named as in Linux) on which the encoder's bytes depend."""
    listed = set(cpu_info.split())
    return "+".join([machine, *(feature for feature in _CPU_FEATURES if feature in listed)])
