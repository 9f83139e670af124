"""The WAV reader: reads a file's headers into a `WavInfo`.

In: a seekable binary file, complete (`read_wav`) or still growing (`check_start`), and the number of its bytes that
have arrived. Out: the format of the audio and the place of its samples. Reads the first samples only if the headers
may be wrong about them. Raises `NotAWav` for a file that is not RIFF, RIFX, RF64, BW64 or W64, and `BadWav` for a WAV
that cannot be converted. Time is linear in the number of chunks, at most `MAX_CHUNKS`; memory is a few megabytes.

`chunks.py` walks over the chunks, `fmt.py` parses `fmt `, `first_samples.py` inspects the samples; each names its
standards. `info.py` has the result types.
"""

from collections.abc import Sequence
from itertools import islice
from typing import BinaryIO

from shared.errors import BadWav, NotAWav
from shared.wav.chunks import (
    ChunkHeader,
    ChunkWalk,
    Container,
    Source,
    find_container,
    is_printable,
    is_streaming_size,
)
from shared.wav.first_samples import inspect_samples
from shared.wav.fmt import MAX_FMT_BYTES, FmtChunk, parse_fmt
from shared.wav.info import Chunk, WavInfo
from shared.wav.other_formats import describe_file

MAX_CHUNKS = 10_000  # real files have dozens
_MAX_METADATA_CHUNKS = 1000
_NO_DATA = (
    "The WAV has no data chunk, so no audio. It may be incomplete: export or upload it again."
)
_NO_SAMPLES = "The WAV contains no samples. Check the recording and export it again."
_NOT_METADATA = frozenset({b"fmt ", b"data", b"ds64", b"fact", b"JUNK", b"junk", b"PAD ", b"FLLR"})


def read_wav(file: BinaryIO, size_bytes: int) -> WavInfo:
    """Read the headers of a complete file of `size_bytes`. Raises `NotAWav` or `BadWav`."""
    source = Source(file, size_bytes)
    container = find_container(source)
    if container is None:
        raise NotAWav(describe_file(source.read(0, 512)))
    headers = list(islice(ChunkWalk(source, container), MAX_CHUNKS))
    fmt = _find_fmt(source, container, headers)
    data = _find_data(source, headers)
    fmt = inspect_samples(source, data, fmt)
    samples = data.size // fmt.block_align if fmt.is_raw else None
    if samples == 0:
        raise BadWav(_NO_SAMPLES)
    return WavInfo(
        container=container.name,
        fmt=fmt,
        big_endian=container.big_endian,
        data_offset=data.offset,
        data_bytes=data.size if samples is None else samples * fmt.block_align,
        samples=samples,
        chunks=_metadata(container, headers),
        warnings=tuple(_warnings(fmt, data, headers)),
    )


def check_start(file: BinaryIO, size_bytes: int) -> FmtChunk | None:
    """Check the first `size_bytes` of a file that is still arriving.

    Return the format once a `data` chunk and a valid `fmt ` have arrived: nothing else can be checked before the end.
    Return None if more bytes are needed. Raises `NotAWav` or `BadWav` as soon as either is certain. Every call walks
    from the start, so call it at growing sizes (64 KiB, 128 KiB, 256 KiB ...), not for every buffer.
    """
    source = Source(file, size_bytes)
    container = find_container(source)
    if container is None:
        return None
    fmt, has_data = None, False
    for walked, header in enumerate(ChunkWalk(source, container)):
        if walked == MAX_CHUNKS:
            raise BadWav(_NO_DATA)
        has_data |= header.id == b"data"
        has_arrived = header.size >= min(header.declared, MAX_FMT_BYTES)
        if header.id == b"fmt " and fmt is None and has_arrived:
            fmt = _parse(source, container, header)
        if fmt is not None and has_data:
            return fmt
    return None


def _parse(source: Source, container: Container, header: ChunkHeader) -> FmtChunk:
    payload = source.read(header.offset, min(header.size, MAX_FMT_BYTES))
    return parse_fmt(payload, big_endian=container.big_endian)


def _find_fmt(source: Source, container: Container, headers: Sequence[ChunkHeader]) -> FmtChunk:
    header = next((header for header in headers if header.id == b"fmt "), None)
    if header is None:
        raise BadWav("The WAV has no fmt chunk, which describes its audio. Export it again.")
    return _parse(source, container, header)


def _find_data(source: Source, headers: Sequence[ChunkHeader]) -> ChunkHeader:
    data = [header for header in headers if header.id == b"data"]
    lists = (header for header in headers if header.id == b"LIST")
    if not data and any(source.read(header.offset, 4) == b"wavl" for header in lists):
        raise BadWav(
            "The WAV stores its samples in a wavl list, which is not supported. Export it as a plain WAV."
        )
    if not data:
        raise BadWav(_NO_DATA)
    with_samples = next((header for header in data if header.size), None)
    if with_samples is None:
        raise BadWav(_NO_SAMPLES)
    return with_samples


def _metadata(container: Container, headers: Sequence[ChunkHeader]) -> tuple[Chunk, ...]:
    tag = [Chunk(b"id3 ", 0, container.start)] if container.start else []
    found = (
        Chunk(header.id, header.offset, header.size)
        for header in headers
        if header.size and header.id not in _NOT_METADATA and is_printable(header.id)
    )
    return tuple(islice([*tag, *found], _MAX_METADATA_CHUNKS))


def _warnings(fmt: FmtChunk, data: ChunkHeader, headers: Sequence[ChunkHeader]) -> list[str]:
    warnings = []
    block_align = fmt.block_align if fmt.is_raw else 1
    is_declared = not is_streaming_size(data.declared)
    if is_declared and data.declared // block_align > data.size // block_align:
        warnings.append(
            f"The audio data is {data.declared - data.size} bytes shorter than its header says. "
            f"The {data.size} bytes that are present were converted."
        )
    if is_declared and data.size > data.declared:
        warnings.append("The audio data is longer than its header says. All of it was converted.")
    if any(other.id == b"data" and other.size and other != data for other in headers):
        warnings.append("The WAV has more than one data chunk. Only the first was converted.")
    return warnings
