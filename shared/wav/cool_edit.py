"""The floats that Cool Edit wrote under the header of integers.

In: a `FmtChunk`, and where its samples stand. Out: the same, or one that says float and what is full scale.
Sources: libsndfile's `wavlike_analyze`, which looks at the samples too; ffmpeg's `pcm_f16le` and `pcm_f24le`.
"""

import struct
from dataclasses import replace
from math import isfinite

from shared.wav.chunks import Header, Source
from shared.wav.fmt import Codec, FmtChunk

_PLAIN_PCM = b"\x01\x00"
_TYPE_1 = b"\x02\x00\x01\x00"  # cbSize and what it stands for: "16.8 float"
_BLOCK_BYTES = 16 * 1024
_MAX_BLOCKS = 256  # so much silence in front is looked through
_LEAST, _MOST = 2.0**-40, 2.0**24
_FAR_ABOVE_1 = 8
_FEW = 16  # levels, such as those of a square wave; as floats of a sound they would be many


def detect_floats(source: Source, data: Header, fmt: FmtChunk) -> FmtChunk:
    """24 bits in 4 bytes under plain PCM may be floats instead, with a full scale of 2**23 or of 1."""
    if fmt.payload[:2] != _PLAIN_PCM or fmt.block_align != 4 * fmt.channels:
        return fmt
    bits, full_scale = int.from_bytes(fmt.payload[14:16], "little"), 0
    if bits == 32 and fmt.payload[16:20] == _TYPE_1:
        full_scale = 1 << 15
    elif bits == 24:
        full_scale = _full_scale(_first_sound(source, data))
    return replace(fmt, codec=Codec.FLOAT, full_scale=full_scale) if full_scale else fmt


def _first_sound(source: Source, data: Header) -> bytes:
    places = range(data.offset, data.offset + data.size, _BLOCK_BYTES)[:_MAX_BLOCKS]
    blocks = (source.read(at, min(_BLOCK_BYTES, places.stop - at)) for at in places)
    return next((block for block in blocks if any(block)), b"")


def _full_scale(raw: bytes) -> int:
    """0 for integers: what they are as floats is no number here, and absurdly small there."""
    whole = raw[: len(raw) // 4 * 4]
    floats = [abs(value) for (value,) in struct.iter_unpack("<f", whole) if value]
    if not any(raw[::4]) and len(set(floats)) < _FEW:
        return 0
    if not all(map(isfinite, floats)) or max(floats, default=0) > _MOST:
        return 0
    if sum(value > _LEAST for value in floats) <= 3 / 4 * len(floats):
        return 0
    return 1 << 23 if max(floats) > _FAR_ABOVE_1 else 1
