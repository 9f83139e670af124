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
from shared.wav.audio import collect_audio, read_fmt
from shared.wav.chunks import ChunkHeader, ChunkWalk, holds_wav
from shared.wav.container import MAGIC_BYTES, Container, Source, find_container
from shared.wav.first_samples import inspect_samples
from shared.wav.fmt import MAX_FMT_BYTES, MIN_FMT_BYTES, FmtChunk
from shared.wav.info import WavInfo
from shared.wav.metadata import collect_metadata
from shared.wav.other_formats import describe_file
from shared.wav.streaming import is_streaming_size

MAX_CHUNKS = 10_000  # real files have dozens
_CUT_OFF = "The WAV is cut off {}: the rest is missing. Copy or upload it again."
_NO_DATA = (
    "The WAV has no data chunk, so no audio. It may be incomplete: export or upload it again."
)
_NO_SAMPLES = "The WAV contains no samples. Check the recording and export it again."
_TOO_MANY_CHUNKS = (
    f"The WAV has more than {MAX_CHUNKS} chunks. Everything after them was left out, audio too."
)


def read_wav(file: BinaryIO, size_bytes: int) -> WavInfo:
    """Read the headers of a complete file of `size_bytes`. Raises `NotAWav` or `BadWav`."""
    source = Source(file, size_bytes)
    container = find_container(source)
    if container is None:
        raise NotAWav(describe_file(source.read(0, 512)))
    walk = iter(ChunkWalk(source, container))
    headers = list(islice(walk, MAX_CHUNKS))
    declared_fmt = read_fmt(source, _find_fmt(source, container, headers))
    data = _find_data(source, container, headers)
    if data.container != container:
        declared_fmt = read_fmt(source, _find_fmt(source, data.container, headers))
    facts = _fact_samples(source, container, headers)
    fmt = inspect_samples(source, data, declared_fmt)
    audio = collect_audio(source, headers, data, fmt)
    if not audio.data:
        is_cut_off = data.declared > data.size and not is_streaming_size(data.declared)
        raise BadWav(_CUT_OFF.format("inside its first sample") if is_cut_off else _NO_SAMPLES)
    total = sum(data_range.size for data_range in audio.data)
    chunks, chunk_warnings = collect_metadata(container, data, headers, fmt.tag_bytes)
    if headers[-1].is_plausible and next(walk, None) is not None:
        chunk_warnings.append(_TOO_MANY_CHUNKS)
    return WavInfo(
        container=container.name,
        fmt=fmt,
        big_endian=container.big_endian,
        data=audio.data,
        samples=total // fmt.block_align if fmt.is_raw else None,
        chunks=chunks,
        warnings=(*fmt.warnings, *audio.warnings, *chunk_warnings),
        fact_samples=facts if not fmt.is_raw and len(audio.data) == 1 else None,
    )


def check_start(file: BinaryIO, size_bytes: int) -> FmtChunk | None:
    """Check the first `size_bytes` of a file that is still arriving.

    Return the format once samples and a valid `fmt ` have arrived: nothing else can be checked before the end. The
    format of a WAV inside the data counts. Return None if more bytes are needed. Raises `NotAWav` or `BadWav` as soon
    as either is certain. Every call walks from the start, so call it at growing sizes (64 KiB, 128 KiB, 256 KiB ...),
    not for every buffer.
    """
    source = Source(file, size_bytes)
    container = find_container(source)
    if container is None:
        return None
    fmt, has_data = None, False
    for walked, header in enumerate(ChunkWalk(source, container, is_growing=True)):
        if walked == MAX_CHUNKS:
            raise BadWav(_NO_DATA)
        if header.id == b"data":
            needed = header.declared if 0 < header.declared < MAGIC_BYTES else MAGIC_BYTES
            if size_bytes - header.offset < needed:
                return None
            if holds_wav(source, header):
                fmt = None
            else:
                has_data = True
        has_arrived = header.size >= min(header.declared, MAX_FMT_BYTES)
        if header.id == b"fmt " and fmt is None and has_arrived:
            fmt = read_fmt(source, header)
        if fmt is not None and has_data:
            return fmt
    return None


def _find_fmt(source: Source, container: Container, headers: Sequence[ChunkHeader]) -> ChunkHeader:
    """Return the first fmt chunk of this WAV, or of the file. Raises `BadWav`."""
    found = [header for header in headers if header.id == b"fmt "]
    own = (header for header in found if header.container == container)
    header = next(own, next(iter(found), None))
    if header is None and _is_cut_off(source, container, headers):
        raise BadWav(_CUT_OFF.format("before its fmt chunk"))
    if header is None:
        raise BadWav("The WAV has no fmt chunk, which describes its audio. Export it again.")
    if header.size < min(header.declared, MIN_FMT_BYTES + 2):
        raise BadWav(_CUT_OFF.format("inside its fmt chunk"))
    return header


def _is_cut_off(source: Source, container: Container, headers: Sequence[ChunkHeader]) -> bool:
    """Return True if the last chunk, or the file itself, is shorter than its size says."""
    if headers and headers[-1].declared > headers[-1].size:
        return True
    at, count = (16, 8) if container.name == "W64" else (4, 4)
    raw = source.read(container.start + at, count)
    declared = int.from_bytes(raw, "big" if container.big_endian else "little")
    if is_streaming_size(declared):
        return True  # nothing says where the file should end
    header_bytes = 0 if container.name == "W64" else 8
    return source.size_bytes < container.start + header_bytes + declared


def _find_data(source: Source, container: Container, headers: Sequence[ChunkHeader]) -> ChunkHeader:
    data = [header for header in headers if header.id == b"data"]
    lists = (header for header in headers if header.id == b"LIST")
    if not data and any(source.read(header.offset, 4) == b"wavl" for header in lists):
        raise BadWav(
            "The WAV stores its samples in a wavl list, which is not supported. Export it as a plain WAV."
        )
    fmt = next((header for header in headers if header.id == b"fmt "), None)
    if not data and fmt is not None and fmt.declared > MAX_FMT_BYTES:
        raise BadWav(
            f"The WAV's fmt chunk declares {fmt.declared} bytes, which is wrong, so its samples cannot be found. "
            "Export it again."
        )
    if not data and _is_cut_off(source, container, headers):
        raise BadWav(_CUT_OFF.format("before its samples"))
    if not data:
        raise BadWav(_NO_DATA)
    with_samples = next((header for header in data if header.size), None)
    if with_samples is not None:
        return with_samples
    if any(header.declared and not is_streaming_size(header.declared) for header in data):
        raise BadWav(_CUT_OFF.format("before its samples"))
    raise BadWav(_NO_SAMPLES)


def _fact_samples(
    source: Source, container: Container, headers: Sequence[ChunkHeader]
) -> int | None:
    header = next((header for header in headers if header.id == b"fact"), None)
    if header is None or header.size < 4:
        return None
    raw = source.read(header.offset, 4)
    samples = int.from_bytes(raw, "big" if container.big_endian else "little")
    return None if is_streaming_size(samples) else samples
