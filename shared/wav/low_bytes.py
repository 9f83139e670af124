"""Detects integers of 24 bits in the lower three of four bytes, as ALSA's S24_LE stores them.

In: a `FmtChunk` of PCM in 4 bytes, and the place of its samples. Out: the same `FmtChunk`, or a copy with
`low_24_bits` or with packed samples of 3 bytes, and a warning. WAVs have 24 bits in the upper three bytes instead.
Source of S24_LE: alsa-lib, `include/pcm.h`.
"""

import struct
from collections.abc import Iterable
from dataclasses import replace

from shared.wav.chunks import ChunkHeader
from shared.wav.codecs import Codec
from shared.wav.container import Source
from shared.wav.fmt import FmtChunk
from shared.wav.sound import first_sound, spread_blocks

_EXTENSIBLE = b"\xfe\xff"
_ROUGHER = 2


def detect_low_bytes(source: Source, data: ChunkHeader, fmt: FmtChunk) -> FmtChunk:
    """Check PCM of 4 bytes a sample: it may be 24 bits in the lower three, or 24 bits without a fourth byte."""
    if fmt.codec is not Codec.PCM or fmt.bits_per_sample != 32:
        return fmt
    big_endian = data.container.big_endian
    is_low = _are_low(spread_blocks(source, data), big_endian=big_endian)
    if declared_bits(fmt) < 24:
        return fmt
    if declared_bits(fmt) != 24:
        return fmt.with_warning(_QUIET) if is_low else fmt
    if is_low:
        return replace(fmt, low_24_bits=True).with_warning(_LOW)
    if fmt.payload[:2] != _EXTENSIBLE and _is_packed(first_sound(source, data), fmt, big_endian):
        packed = replace(fmt, bits_per_sample=24, block_align=3 * fmt.channels)
        return packed.with_warning(_PACKED)
    return fmt


_LOW = "The samples have 24 bits in the lower three of four bytes. Only these three were read."
_QUIET = (
    "The header says 32 bits, but the samples use only the lower 24, so the audio is 48 dB below full scale. "
    "If it is too quiet, export it with 24 bits."
)
_PACKED = "The header says 4 bytes for 24 bits, but the samples have 3. They were read as samples of 3 bytes."


def declared_bits(fmt: FmtChunk) -> int:
    at = 18 if fmt.payload[:2] == _EXTENSIBLE else 14
    return int.from_bytes(fmt.payload[at : at + 2], "little")


def _are_low(blocks: Iterable[bytes], *, big_endian: bool) -> bool:
    """Return True if the fourth byte is always a sign or zero, and the first one is not always zero."""
    has_low = False
    for block in blocks:
        whole = block[: len(block) // 4 * 4]
        octets = [whole[index::4] for index in range(4)]
        low, _, third, top = octets[::-1] if big_endian else octets
        if any(
            sign and not (sign == 0xFF and value & 0x80)
            for sign, value in zip(top, third, strict=True)
        ):
            return False
        has_low |= any(low)
    return has_low


def _is_packed(raw: bytes, fmt: FmtChunk, big_endian: bool) -> bool:
    """Return True if the samples are much smoother when read as 3 bytes, and the low byte of four is in use."""
    if not any(raw[3 if big_endian else 0 :: 4]):
        return False
    of_3, of_4 = (integers(raw, width, big_endian=big_endian) for width in (3, 4))
    return _roughness(of_4, fmt.channels) > _ROUGHER * _roughness(of_3, fmt.channels)


def integers(raw: bytes, width: int, *, big_endian: bool) -> list[int]:
    """Return samples of 3 or 4 bytes, scaled to 32 bits."""
    count = len(raw) // width
    wide = bytearray(4 * count)
    for index in range(width):
        to = 4 - width + index if not big_endian else index
        wide[to::4] = raw[index : width * count : width]
    return list(struct.unpack(f"{'>' if big_endian else '<'}{count}i", wide))


def _roughness(samples: list[int], channels: int) -> float:
    """Return the mean step from sample to sample, relative to the mean level."""
    steps = sum(abs(b - a) for a, b in zip(samples, samples[channels:], strict=False))
    return steps / (sum(map(abs, samples)) + 1)
