"""Detects mono audio whose header says two channels, but blocks of one sample.

In: a `FmtChunk` with a corrected block align, and the place of its samples. Out: the same `FmtChunk`, or a mono copy.
"""

import struct
from dataclasses import replace

from shared.wav.chunks import ChunkHeader
from shared.wav.container import Source
from shared.wav.fmt import FmtChunk
from shared.wav.sound import first_sound

_SMOOTHER = 0.75
_WARNING = (
    "The header says 2 channels, but blocks of one sample of 16 bits. The samples belong to one channel: "
    "they were converted as mono."
)


def detect_lone_channel(source: Source, data: ChunkHeader, fmt: FmtChunk) -> FmtChunk:
    """Check 16-bit stereo whose header declares blocks of 2 bytes instead of 4."""
    declared = int.from_bytes(fmt.payload[12:14], "little")
    if (fmt.channels, fmt.bits_per_sample, declared) != (2, 16, 2):
        return fmt
    raw = first_sound(source, data)
    order = ">" if data.container.big_endian else "<"
    samples = struct.unpack(f"{order}{len(raw) // 2}h", raw[: len(raw) // 2 * 2])
    if not _is_one_curve(samples):
        return fmt
    mono = replace(fmt, channels=1, block_align=2, channel_mask=0, warnings=())
    return mono.with_warning(_WARNING)


def _is_one_curve(samples: tuple[int, ...]) -> bool:
    """Return True if, on average, a sample is nearer to its neighbours than the neighbours are to each other."""
    left_to_right = sum(abs(b - a) for a, b in zip(samples[::2], samples[1::2], strict=False))
    right_to_left = sum(abs(b - a) for a, b in zip(samples[1::2], samples[2::2], strict=False))
    left_to_left = sum(abs(b - a) for a, b in zip(samples[::2], samples[2::2], strict=False))
    return max(left_to_right, right_to_left) < _SMOOTHER * left_to_left
