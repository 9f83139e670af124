"""Warns of samples whose level contradicts the header: of the other sign convention, or right-justified.

In: a `FmtChunk` of PCM, and the place of its samples. Out: the same `FmtChunk`, perhaps with a warning. WAVs have
unsigned samples of 8 bits and signed wider ones, and samples of fewer bits than their bytes hold are left-justified.
The samples are read as declared, because a loud square wave may look the same.
"""

import struct
from itertools import islice

from shared.wav.chunks import ChunkHeader
from shared.wav.codecs import Codec
from shared.wav.container import Source
from shared.wav.fmt import FmtChunk
from shared.wav.low_bytes import declared_bits, integers
from shared.wav.sound import spread_blocks

_DB_PER_BIT = 6.0206
_CHECKED_BLOCKS = 8
_CHECKED_BYTES = 4000
_MIN_CHECKED = 1000
_MIN_SHARE = 0.05
_MORE = 4
_MIN_DISTINCT = 16
_MAX_CLIPPED = 0.5
"""Square waves have fewer levels, and clipped sound is at full scale most of the time."""
_LOW, _MIDDLE, _HIGH = b"L", b"M", b"H"
_ZONES = bytes(
    _LOW[0] if byte < 48 else _HIGH[0] if byte >= 208 else _MIDDLE[0] if 96 <= byte < 160 else 0
    for byte in range(256)
)
"""Of the top byte of an unsigned sample: sound is mostly in the middle."""
_OTHER_SIGN = bytes(byte ^ 0x80 for byte in range(256))
_UNSIGNED = "The header says {} bits, which are {} in a WAV, but the samples look {}. They were read as declared. "
_ADVICE = "If the MP3 is distorted, export the WAV again."
_RIGHT = (
    "The header says {0} bits in {1} bytes. They should be the upper ones, but the samples use only the lower {0}, so "
    "the audio may be {2:.1f} dB too quiet. If it is, {3}."
)
_MAX_GAIN_DB = 60


def warn_of_levels(source: Source, data: ChunkHeader, fmt: FmtChunk) -> FmtChunk:
    if fmt.codec is not Codec.PCM or fmt.warnings:
        return fmt
    big_endian, container_bits = data.container.big_endian, fmt.bits_per_sample
    bits = declared_bits(fmt)
    if container_bits in (16, 24, 32) and 0 < bits < container_bits:
        if _are_right_justified(source, data, fmt, bits):
            return fmt.with_warning(_describe_right(bits, container_bits))
    elif container_bits in (8, 16) and _has_other_sign(source, data, fmt, big_endian):
        kinds = ("unsigned", "signed") if container_bits == 8 else ("signed", "unsigned")
        return fmt.with_warning(_UNSIGNED.format(container_bits, *kinds) + _ADVICE)
    return fmt


def _describe_right(bits: int, container_bits: int) -> str:
    lost_db = _DB_PER_BIT * (container_bits - bits)
    has_gain = lost_db <= _MAX_GAIN_DB
    advice = f"upload it with gain_db={lost_db:.1f}" if has_gain else "export it with 24 bits"
    return _RIGHT.format(bits, container_bits // 8, lost_db, advice)


def _are_right_justified(source: Source, data: ChunkHeader, fmt: FmtChunk, bits: int) -> bool:
    """Return True if all samples fit into the lower bits, and not all of them are multiples of the unused ones."""
    width, limit = fmt.bits_per_sample // 8, 1 << (bits - 1)
    unused = (1 << (fmt.bits_per_sample - bits)) - 1
    order = ">" if data.container.big_endian else "<"
    has_low = False
    for block in spread_blocks(source, data, fmt.block_align):
        whole = block[: len(block) // width * width]
        if width == 2:
            values = list(struct.unpack(f"{order}{len(whole) // 2}h", whole))
        else:
            wide = integers(whole, width, big_endian=order == ">")
            values = [value >> (32 - 8 * width) for value in wide]
        if values and not -limit <= min(values) <= max(values) < limit:
            return False
        has_low |= any(value & unused for value in values)
    return has_low


def _has_other_sign(source: Source, data: ChunkHeader, fmt: FmtChunk, big_endian: bool) -> bool:
    """Return True if the samples are at both ends of the range, and almost never between them."""
    width = fmt.bits_per_sample // 8
    top = 0 if big_endian else width - 1
    blocks = islice(spread_blocks(source, data, fmt.block_align), _CHECKED_BLOCKS)
    tops = b"".join(block[top:_CHECKED_BYTES:width] for block in blocks)
    if width == 2:
        tops = tops.translate(_OTHER_SIGN)
    zones = tops.translate(_ZONES)
    low, middle, high = (zones.count(zone) for zone in (_LOW, _MIDDLE, _HIGH))
    if min(low, high) <= max(_MIN_SHARE * len(tops), _MORE * middle):
        return False
    clipped = tops.count(0x00) + tops.count(0xFF)
    is_enough = len(tops) >= _MIN_CHECKED and len(set(tops)) >= _MIN_DISTINCT
    return is_enough and clipped < _MAX_CLIPPED * len(tops)
