"""Reads the samples that show if a header is wrong: the first sound, and blocks from the whole file."""

from collections.abc import Iterator

from shared.wav.chunks import ChunkHeader
from shared.wav.container import Source

_ALIGNMENT = 24  # a multiple of the bytes of a sample, 1 to 4, in mono and stereo
BLOCK_BYTES = 680 * _ALIGNMENT
_MAX_SILENT_BLOCKS = 1024  # 16 MB of silence
_SPREAD_BLOCKS = 32


def first_sound(source: Source, data: ChunkHeader, count: int = BLOCK_BYTES) -> bytes:
    """Return `count` bytes, or fewer at the end of the data, from the first block that is not silent."""
    end = data.offset + data.size
    for at in range(data.offset, end, BLOCK_BYTES)[:_MAX_SILENT_BLOCKS]:
        block = source.read(at, min(BLOCK_BYTES, end - at))
        if block != bytes(len(block)):  # many times as fast as any()
            return source.read(at, min(count, end - at))
    return b""


def spread_blocks(
    source: Source, data: ChunkHeader, alignment: int = _ALIGNMENT
) -> Iterator[bytes]:
    """Yield blocks from the start to the end of the data. Each starts at a whole sample."""
    step = max(BLOCK_BYTES, data.size // _SPREAD_BLOCKS) // alignment * alignment
    for at in range(0, data.size, step):
        yield source.read(data.offset + at, min(BLOCK_BYTES, data.size - at))
