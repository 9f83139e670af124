"""Detects a wrong block align of IMA and MS ADPCM. Read in blocks of a wrong size, the audio is noise and clicks.

In: a `FmtChunk` and the place of its blocks. Out: the same `FmtChunk`, or a copy with the block align that belongs to
the header's samples per block, and a warning.
"""

import struct
from dataclasses import replace

from shared.wav.chunks import ChunkHeader
from shared.wav.codecs import Codec
from shared.wav.container import Source
from shared.wav.fmt import FmtChunk
from shared.wav.layout import adpcm_block_align, adpcm_warning

_CHECKED_BYTES = 1 << 16
_MAX_STEP_INDEX = 88
_MAX_PREDICTOR = 6
_MIN_BLOCKS = 3


def detect_block_align(source: Source, data: ChunkHeader, fmt: FmtChunk) -> FmtChunk:
    """Look for block headers at steps of both sizes, and return `fmt` with the right size."""
    other = adpcm_block_align(fmt.codec, fmt.channels, fmt.payload)
    if other in (None, fmt.block_align):
        return fmt
    raw = source.read(data.offset, min(data.size, _CHECKED_BYTES))
    # If a size is right, its multiples are right too.
    is_right = fmt.block_align % other and _are_blocks(raw, fmt, fmt.block_align)
    if is_right or not _are_blocks(raw, fmt, other):
        return fmt
    payload = fmt.payload[:12] + struct.pack("<H", other) + fmt.payload[14:]
    warning = adpcm_warning(fmt.block_align, other)
    return replace(fmt, block_align=other, payload=payload).with_warning(warning)


def _are_blocks(raw: bytes, fmt: FmtChunk, block_align: int) -> bool:
    starts = range(0, len(raw) - 4 * fmt.channels, block_align)
    return len(starts) >= _MIN_BLOCKS and all(_is_header(raw, start, fmt) for start in starts)


def _is_header(raw: bytes, start: int, fmt: FmtChunk) -> bool:
    """Return True for zeros only at the start of a recording: elsewhere they may be silence inside a block."""
    header_bytes = 7 if fmt.codec is Codec.MS_ADPCM else 4
    header = raw[start : start + header_bytes * fmt.channels]
    if start and not any(header):
        return False
    if fmt.codec is Codec.MS_ADPCM:
        return max(header[: fmt.channels]) <= _MAX_PREDICTOR
    return max(header[2::4]) <= _MAX_STEP_INDEX and not any(header[3::4])
