"""Detects 32-bit floats under a header for integers, as some web recorders write them, and the reverse.

In: a `FmtChunk` of 4 bytes a sample, and the place of its samples. Out: the same `FmtChunk`, or a copy with the other
codec and a warning. Read with the wrong codec, such samples are loud noise.
"""

import struct
from dataclasses import replace
from math import isfinite

from shared.wav.chunks import ChunkHeader
from shared.wav.codecs import Codec
from shared.wav.container import Source
from shared.wav.fmt import FmtChunk
from shared.wav.sound import first_sound

_SAMPLE_BYTES = 4
_MIN_FLOAT, _MAX_FLOAT = 2.0**-30, 4.0
_IMPOSSIBLE_FLOAT = 1e9
_MIN_PLAUSIBLE = 0.95
_MIN_EXTREME = 0.1
"""Share of the samples. Integers just below zero are huge floats or NaN, those just above zero are tiny floats."""
_MIN_DISTINCT = 16
"""A square wave has fewer levels, and so do the NaN of a failed effect. Both do not show their codec."""
_MIN_RANGE = 64
"""Levels of floats differ more than this. Integers near half of full scale are all 2 or -2 if read as floats."""
_WARNING = "The header says {0} of 32 bits, but the samples are {1}. They were read as {1}."


def detect_wrong_codec(source: Source, data: ChunkHeader, fmt: FmtChunk) -> FmtChunk:
    """Return `fmt`, with the other codec if the first sound proves that the header's codec is wrong."""
    if fmt.bits_per_sample != 8 * _SAMPLE_BYTES or fmt.low_24_bits:
        return fmt
    raw = first_sound(source, data)
    order, count = ">" if data.container.big_endian else "<", len(raw) // _SAMPLE_BYTES
    floats = struct.unpack_from(f"{order}{count}f", raw)
    if fmt.codec is Codec.PCM and _are_floats(floats):
        return replace(fmt, codec=Codec.FLOAT).with_warning(_WARNING.format("integers", "floats"))
    integers = struct.unpack_from(f"{order}{count}i", raw)
    if fmt.codec is Codec.FLOAT and _are_integers(integers, floats, fmt.channels):
        return replace(fmt, codec=Codec.PCM).with_warning(_WARNING.format("floats", "integers"))
    return fmt


def _are_floats(floats: tuple[float, ...]) -> bool:
    """Return True if the samples are plausible as floats. Integers are not: just below zero they are NaN or huge."""
    levels = [abs(value) for value in floats if value]
    if len(set(levels)) < _MIN_DISTINCT or not min(floats) < 0 < max(floats):
        return False
    if max(levels) < _MIN_RANGE * min(levels):
        return False
    if not all(isfinite(level) and level <= _MAX_FLOAT for level in levels):
        return False
    return sum(level >= _MIN_FLOAT for level in levels) >= _MIN_PLAUSIBLE * len(levels)


def _are_integers(integers: tuple[int, ...], floats: tuple[float, ...], channels: int) -> bool:
    """Return True if many floats are impossible, many are tiny, and the integers form a curve."""
    pairs = [*zip(integers, floats, strict=True)]
    huge = [integer for integer, value in pairs if not abs(value) < _IMPOSSIBLE_FLOAT]  # NaN too
    tiny = [integer for integer, value in pairs if 0 < abs(value) < _MIN_FLOAT]
    for extreme in (huge, tiny):
        if len(extreme) < _MIN_EXTREME * len(floats) or len(set(extreme)) < _MIN_DISTINCT:
            return False
    steps = sum(abs(b - a) for a, b in zip(integers, integers[channels:], strict=False))
    return steps < sum(map(abs, integers))
