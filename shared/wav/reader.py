"""The WAV reader: from a file's headers to a `WavInfo`, or a reason why not.

In: a seekable binary file, complete (`read_wav`) or still growing (`check_start`), and how many of its bytes are
there. Out: what the audio is and where its samples stand; of the samples only the first are read, where they know
better than the headers what they are. Raises `NotAWav` for anything
that is not RIFF, RIFX, RF64, BW64 or W64, and `BadWav` for a WAV that cannot be converted. Time is linear in the
number of chunks, at most `MAX_CHUNKS`; memory is a few megabytes.

`wav_chunks` walks the chunks, `wav_fmt` understands `fmt `, `wav_data` looks at the samples; the standards are named
there. `wav_info` holds the words for what was found.
"""

from collections.abc import Sequence
from itertools import islice
from typing import BinaryIO

from shared.errors import BadWav, NotAWav
from shared.wav.chunks import (
    ChunkWalk,
    Container,
    Header,
    Source,
    find_container,
    is_printable,
    is_streaming_size,
)
from shared.wav.first_samples import inspect_samples
from shared.wav.fmt import MAX_FMT_BYTES, FmtChunk, parse_fmt
from shared.wav.info import Chunk, WavInfo
from shared.wav.other_formats import describe

MAX_CHUNKS = 10_000  # real files have dozens
_MAX_METADATA_CHUNKS = 1000
_NOT_METADATA = frozenset({b"fmt ", b"data", b"ds64", b"fact", b"JUNK", b"junk", b"PAD ", b"FLLR"})


def read_wav(file: BinaryIO, size_bytes: int) -> WavInfo:
    """Read the headers of a complete file of `size_bytes`; raises `NotAWav` or `BadWav`."""
    source = Source(file, size_bytes)
    container = find_container(source)
    if container is None:
        raise NotAWav(describe(source.read(0, 512)))
    headers = list(islice(ChunkWalk(source, container), MAX_CHUNKS))
    fmt = _find_fmt(source, container, headers)
    data = _find_data(source, headers)
    fmt = inspect_samples(source, data, fmt)
    samples = data.size // fmt.block_align if fmt.is_raw else None
    if samples == 0:
        raise _no_samples()
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
    """Look at the `size_bytes` that have arrived of a file.

    A format: a `data` chunk with this acceptable `fmt ` was reached, and there is nothing more to check before the end.
    None: more bytes are needed. Raises `NotAWav` or `BadWav` as soon as what is there makes that certain. Every call
    walks from the start, so call it at growing distances (64 KiB, 128 KiB, 256 KiB ...), not for every buffer.
    """
    source = Source(file, size_bytes)
    container = find_container(source)
    if container is None:
        return None
    fmt, has_data = None, False
    for walked, header in enumerate(ChunkWalk(source, container)):
        if walked == MAX_CHUNKS:
            raise _no_data()
        has_data |= header.id == b"data"
        if (
            header.id == b"fmt "
            and fmt is None
            and header.size >= min(header.declared, MAX_FMT_BYTES)
        ):
            fmt = _parse(source, container, header)
        if fmt is not None and has_data:
            return fmt
    return None


def _parse(source: Source, container: Container, header: Header) -> FmtChunk:
    payload = source.read(header.offset, min(header.size, MAX_FMT_BYTES))
    return parse_fmt(payload, big_endian=container.big_endian)


def _find_fmt(source: Source, container: Container, headers: Sequence[Header]) -> FmtChunk:
    header = next((header for header in headers if header.id == b"fmt "), None)
    if header is None:
        raise BadWav(
            "The WAV has no fmt chunk, so nothing says what its audio is. Export it again."
        )
    return _parse(source, container, header)


def _find_data(source: Source, headers: Sequence[Header]) -> Header:
    data = [header for header in headers if header.id == b"data"]
    if not data and any(
        header.id == b"LIST" and source.read(header.offset, 4) == b"wavl" for header in headers
    ):
        raise BadWav(
            "The WAV keeps its samples in a wavl list, which cannot be read. Export it as a plain WAV."
        )
    if not data:
        raise _no_data()
    filled = next((header for header in data if header.size), None)
    if filled is None:
        raise _no_samples()
    return filled


def _no_data() -> BadWav:
    return BadWav(
        "The WAV has no data chunk, so no audio; it may be cut off. Export or upload it again."
    )


def _no_samples() -> BadWav:
    return BadWav("The WAV holds no samples. Check the recording and export it again.")


def _metadata(container: Container, headers: Sequence[Header]) -> tuple[Chunk, ...]:
    tag = [Chunk(b"id3 ", 0, container.start)] if container.start else []
    found = (
        Chunk(header.id, header.offset, header.size)
        for header in headers
        if header.size and header.id not in _NOT_METADATA and is_printable(header.id)
    )
    return tuple(islice([*tag, *found], _MAX_METADATA_CHUNKS))


def _warnings(fmt: FmtChunk, data: Header, headers: Sequence[Header]) -> list[str]:
    warnings = []
    block_align = fmt.block_align if fmt.is_raw else 1
    missing = data.declared - data.size
    if data.declared // block_align > data.size // block_align and not is_streaming_size(
        data.declared
    ):
        warnings.append(
            f"The data is {missing} bytes shorter than its header says; "
            f"the {data.size} bytes that are there were converted."
        )
    if data.size > data.declared and not is_streaming_size(data.declared):
        warnings.append("The data is longer than its header says; all of it was converted.")
    if any(other.id == b"data" and other.size and other != data for other in headers):
        warnings.append("The WAV has more than one data chunk; only the first was converted.")
    return warnings
