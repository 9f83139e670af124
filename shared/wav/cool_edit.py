"""Detects the float samples that Cool Edit wrote under a header for integers.

In: a `FmtChunk` and the place of its samples. Out: the same `FmtChunk`, or a copy with the float codec and its full
scale. Sources: libsndfile's `wavlike_analyze`, which inspects the samples too; ffmpeg's `pcm_f16le` and `pcm_f24le`.
"""

import struct
from dataclasses import replace
from math import isfinite

from shared.wav.chunks import ChunkHeader
from shared.wav.codecs import Codec
from shared.wav.container import Source
from shared.wav.fmt import FmtChunk
from shared.wav.sound import first_sound

_GUESSED = (
    "The header says integers of 24 bits in 4 bytes, but the samples are floats, as Cool Edit writes them. They were "
    "read as floats."
)
_PLAIN_PCM = b"\x01\x00"
_TYPE_1 = b"\x02\x00\x01\x00"  # cbSize 2 and the type: "16.8 float"
_MIN_FLOAT, _MAX_FLOAT = 2.0**-40, 2.0**24
_MAX_PEAK_AT_SCALE_1 = 8
_MIN_DISTINCT_FLOATS = 16
"""Integers with an empty low byte and fewer levels than this are a square wave. Floats of real sound have more."""


def detect_floats(source: Source, data: ChunkHeader, fmt: FmtChunk) -> FmtChunk:
    """Check plain PCM of 4 bytes a sample: it may be floats with a full scale of 1, 2**15 or 2**23."""
    if fmt.payload[:2] != _PLAIN_PCM or fmt.block_align != 4 * fmt.channels:
        return fmt
    bits, full_scale = int.from_bytes(fmt.payload[14:16], "little"), 0
    if bits == 32 and fmt.payload[16:20] == _TYPE_1:
        full_scale = 1 << 15
    elif bits == 24:
        full_scale = _find_full_scale(first_sound(source, data))
        fmt = fmt.with_warning(_GUESSED) if full_scale else fmt
    return replace(fmt, codec=Codec.FLOAT, full_scale=full_scale) if full_scale else fmt


def _find_full_scale(raw: bytes) -> int:
    """Return the full scale, or 0 for integer samples: as floats they would be NaN or extremely small."""
    whole = raw[: len(raw) // 4 * 4]
    floats = [abs(value) for (value,) in struct.iter_unpack("<f", whole) if value]
    if not any(raw[::4]) and len(set(floats)) < _MIN_DISTINCT_FLOATS:
        return 0
    if not all(map(isfinite, floats)) or max(floats, default=0) > _MAX_FLOAT:
        return 0
    if sum(value > _MIN_FLOAT for value in floats) <= 3 / 4 * len(floats):
        return 0
    return 1 << 23 if max(floats) > _MAX_PEAK_AT_SCALE_1 else 1
