"""Detects samples in another byte order, at another byte or of another width than the header says.

In: a `FmtChunk` of PCM or floats, and the place of its samples. Out: the same `FmtChunk`, or a corrected copy with a
warning. Such files come from programs on big-endian machines, from programs that write the header over the first
samples, and from programs that write floats under a header for integers. Read as declared, such samples are loud noise.
Another layout is used only if the declared one gives noise and the other one gives a curve.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from math import isfinite
from operator import sub

from shared.wav.chunks import ChunkHeader
from shared.wav.codecs import Codec
from shared.wav.container import Source
from shared.wav.fmt import FmtChunk
from shared.wav.low_bytes import integers
from shared.wav.sound import first_sound, spread_blocks

_FEW_SAMPLES = 150
_MIN_SAMPLES = 1000
_BLOCK_SAMPLES = 1000
_MIN_NOISE = 0.8
"""The mean step from sample to sample, relative to the mean level: white noise has 1.3, speech at 8 kHz below 0.6."""
_MAX_CURVE = 0.5
_MAX_FLOAT = 16
_MIN_FLOAT64 = 2.0**-20
"""The mean level of 64-bit floats below which they may be pairs of 32-bit ones."""
_MIN_RANGE = 64
_FLOAT_BITS = {16: 32, 64: 64}
"""The bits of floats under a header for integers of these bits. `detect_wrong_codec` finds those of 32 bits."""
_BENDS = 4
"""The order of the differences that tell curves apart: where one byte of a sample is wrong, they are far higher."""
_MAX_BLOCKS = 8
_LAGS = 17
"""Every tone nearly repeats after fewer samples."""

_Values = Sequence[Sequence[float]]
"""The samples of some blocks, with the channels interleaved."""


@dataclass(frozen=True, slots=True)
class _Layout:
    codec: Codec
    bits: int
    swapped: bool = False
    late_bytes: int = 0

    def values(self, raw: bytes, *, big_endian: bool) -> Sequence[float]:
        width, order = self.bits // 8, ">" if big_endian != self.swapped else "<"
        count = (len(raw) - self.late_bytes) // width
        raw = raw[self.late_bytes : self.late_bytes + count * width]
        if width == 3:
            return integers(raw, width, big_endian=order == ">")
        kinds = "fd" if self.codec is Codec.FLOAT else "hiq"
        kind = next(each for each in kinds if struct.calcsize("<" + each) == width)
        return struct.unpack(f"{order}{count}{kind}", raw)


_SWAPPED = (
    "The bytes of the samples are in the other order than in a {0}. They were read in that order."
)
_LATE = "The samples start {1} byte(s) later than the header says. They were read from there."
_OTHER = "The header says {2}, but the samples are {3}. They were read as {3}."


def detect_sample_layout(source: Source, data: ChunkHeader, fmt: FmtChunk) -> FmtChunk:
    """Return `fmt`, or a copy with the layout that gives a curve instead of noise."""
    big_endian = data.container.big_endian
    declared = _Layout(fmt.codec, fmt.bits_per_sample)
    # No known program writes integers of 64 bits, but some write floats under such a header.
    is_odd = declared == _Layout(Codec.PCM, 64)
    few = _decode(_few_samples(source, data, fmt), declared, big_endian)
    if not is_odd and all(_roughness([each], declared, fmt.channels) < _MIN_NOISE for each in few):
        return fmt
    blocks = list(_loud_blocks(source, data, fmt))
    if sum(map(len, blocks)) < _MIN_SAMPLES * fmt.block_align:
        return fmt
    others = [*_others(fmt)]
    if not is_odd and not _is_white(_decode(blocks, declared, big_endian), declared, fmt.channels):
        # Every other half of 32-bit floats is smooth.
        others = [each for each in others if (declared.bits, each.bits) == (16, 32)]
    decoded = {each: _decode(blocks, each, big_endian) for each in others}
    curves = [each for each in others if _is_curve(decoded[each], each, fmt.channels)]
    if not curves:
        return fmt
    best = min(curves, key=lambda each: _roughness(decoded[each], each, fmt.channels, _BENDS))
    return _apply(best, fmt, "RIFX" if big_endian else "RIFF")


def _others(fmt: FmtChunk) -> Iterator[_Layout]:
    codec, bits = fmt.codec, fmt.bits_per_sample
    yield _Layout(codec, bits, swapped=True)
    if codec is Codec.PCM and bits in (16, 24):
        for late_bytes in range(1, bits // 8):
            yield _Layout(codec, bits, late_bytes=late_bytes)
    if codec is Codec.PCM and bits in _FLOAT_BITS:
        yield _Layout(Codec.FLOAT, _FLOAT_BITS[bits])
    if codec is Codec.FLOAT:
        yield _Layout(codec, 96 - bits)


def _apply(layout: _Layout, fmt: FmtChunk, container: str) -> FmtChunk:
    kind = _LATE if layout.late_bytes else _OTHER
    sentence = _SWAPPED if layout.swapped else kind
    said, found = (
        f"{each.bits} bits of {each.codec.label}"
        for each in (_Layout(fmt.codec, fmt.bits_per_sample), layout)
    )
    corrected = replace(
        fmt,
        codec=layout.codec,
        bits_per_sample=layout.bits,
        block_align=fmt.channels * layout.bits // 8,
        swapped=layout.swapped,
        late_bytes=layout.late_bytes,
    )
    return corrected.with_warning(sentence.format(container, layout.late_bytes, said, found))


def _few_samples(source: Source, data: ChunkHeader, fmt: FmtChunk) -> Iterator[bytes]:
    """Yield samples from the first sound and from the middle, for a first look."""
    size, count = fmt.block_align, _FEW_SAMPLES * fmt.block_align
    sound = first_sound(source, data)
    silent = len(sound) - len(sound.lstrip(b"\0"))
    yield sound[silent // size * size :][:count]
    at = data.size // 2 // size * size
    yield source.read(data.offset + at, min(count, data.size - at))


def _loud_blocks(source: Source, data: ChunkHeader, fmt: FmtChunk) -> Iterator[bytes]:
    """Yield a few blocks from the whole file that are not silent."""
    size = _BLOCK_SAMPLES * fmt.block_align
    blocks = (block[:size] for block in spread_blocks(source, data, fmt.block_align))
    yield from islice(filter(any, blocks), _MAX_BLOCKS)


def _decode(blocks: Iterable[bytes], layout: _Layout, big_endian: bool) -> _Values:
    return [layout.values(block, big_endian=big_endian) for block in blocks]


def _is_curve(blocks: _Values, layout: _Layout, channels: int) -> bool:
    """Return False for noise, and for values that are no sound: of one sign, or floats far above full scale."""
    first = blocks[0]
    limit = _MAX_FLOAT if layout.codec is Codec.FLOAT else 2**63
    if not all(isfinite(each) and abs(each) <= limit for each in first):
        return False
    if not min(first) < 0 < max(first):
        return False
    # Floats of sound come near zero. Integers near half of full scale are 2 or -2 as floats.
    levels = [abs(each) for each in first if each]
    if layout.codec is Codec.FLOAT and max(levels) < _MIN_RANGE * min(levels):
        return False
    return _roughness(blocks, layout, channels) <= _MAX_CURVE


def _is_white(blocks: _Values, layout: _Layout, channels: int) -> bool:
    """Return True if the values are rough at every lag: a high tone is rough only from sample to sample."""
    middle = blocks[len(blocks) // 2][: _FEW_SAMPLES * channels]
    return all(
        _roughness(some, layout, lag * channels) >= _MIN_NOISE
        for some in ([middle], blocks)  # a few samples first, which are enough for most files
        for lag in range(1, _LAGS)
    )


def _roughness(blocks: _Values, layout: _Layout, step: int, order: int = 1) -> float:
    """Return the mean difference of values `step` apart, relative to the mean level.

    `order` is the order of the difference. Return infinity for values that are no sound.
    """
    steps = levels = count = 0.0
    for values in blocks:
        differences = values
        for _ in range(order):
            differences = [*map(sub, differences, differences[step:])]
        steps += sum(map(abs, differences))
        levels += sum(map(abs, values))
        count += len(values)
    is_tiny = layout.codec is Codec.FLOAT and layout.bits == 64 and levels < _MIN_FLOAT64 * count
    if is_tiny or not isfinite(steps + levels):
        return float("inf") if levels else 0.0
    return steps / levels if levels else 0.0
