"""The audio of a WAV: its data chunks, the WAVs that follow the first one, and the bytes that belong to neither.

In: the chunk headers, and the `FmtChunk` of the first audio. Out: an `Audio`. Every byte of audio that is left out has
a warning. Raises nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from shared.errors import BadWav
from shared.wav.chunks import ChunkHeader, is_streaming_size
from shared.wav.codecs import Codec
from shared.wav.container import Source
from shared.wav.fmt import MAX_FMT_BYTES, MIN_FMT_BYTES, FmtChunk, parse_fmt
from shared.wav.info import DataRange

_COMPARED_BYTES = 64 * 1024
# Compressed audio whose blocks do not depend on each other.
_INDEPENDENT_BLOCKS = frozenset({Codec.IMA_ADPCM, Codec.MS_ADPCM, Codec.GSM, Codec.XBOX_ADPCM})


@dataclass(frozen=True, slots=True)
class Audio:
    data: tuple[DataRange, ...]
    warnings: tuple[str, ...]


def read_fmt(source: Source, header: ChunkHeader) -> FmtChunk:
    """Raises `BadWav`."""
    payload = source.read(header.offset, min(header.size, MAX_FMT_BYTES))
    return parse_fmt(payload, big_endian=header.container.big_endian)


def collect_audio(
    source: Source, headers: Sequence[ChunkHeader], first: ChunkHeader, fmt: FmtChunk
) -> Audio:
    """Return the place of all audio that has the format of the `first` data chunk with samples."""
    wanted = _format(source, headers, first)
    data = [header for header in headers if header.id == b"data" and header.size]
    same = [header for header in data if _is_joinable(source, headers, header, wanted, fmt)]
    used = same if first in same else [first]
    others = [header for header in data if header not in used]
    ranges = [_whole_blocks(header, fmt, is_last=header is used[-1]) for header in used]
    warnings = [
        *(warning for header in used for warning in _size_warnings(header, fmt)),
        *_joined_warnings(used),
        *_contradicting_fmt(source, headers, fmt),
        *(_left_out(source, headers, header) for header in others),
        *_stray_warnings(source, headers, first, fmt),
    ]
    return Audio(tuple(part for part in ranges if part.size), tuple(warnings))


def _format(source: Source, headers: Sequence[ChunkHeader], data: ChunkHeader) -> FmtChunk | None:
    """Return the format of a data chunk, without warnings, or None if it cannot be converted."""
    fmts = [each for each in headers if each.id == b"fmt " and each.container == data.container]
    before = [each for each in fmts if each.offset < data.offset]
    # The first fmt chunk describes the first audio, even if it comes later.
    nearest = before[-1] if before else next(iter(fmts), None)
    try:
        return None if nearest is None else replace(read_fmt(source, nearest), warnings=())
    except BadWav:
        return None


def _is_joinable(
    source: Source,
    headers: Sequence[ChunkHeader],
    data: ChunkHeader,
    wanted: FmtChunk | None,
    fmt: FmtChunk,
) -> bool:
    if not fmt.is_raw and fmt.codec not in _INDEPENDENT_BLOCKS:
        return False
    found = _format(source, headers, data)
    return found is not None and wanted is not None and _layout(found) == _layout(wanted)


def _layout(fmt: FmtChunk) -> tuple[object, ...]:
    return fmt.codec, fmt.channels, fmt.sample_rate_hz, fmt.block_align, fmt.bits_per_sample


def _whole_blocks(data: ChunkHeader, fmt: FmtChunk, *, is_last: bool) -> DataRange:
    if not fmt.is_raw and is_last:
        return DataRange(data.offset, data.size)
    return DataRange(data.offset, data.size // fmt.block_align * fmt.block_align)


def _size_warnings(data: ChunkHeader, fmt: FmtChunk) -> Iterator[str]:
    block_align = fmt.block_align if fmt.is_raw else 1
    if is_streaming_size(data.declared):
        return
    if data.declared // block_align > data.size // block_align:
        yield (
            f"The audio data is {data.declared - data.size} bytes shorter than its header says. "
            f"The {data.size} bytes that are present were converted."
        )
    if data.size > data.declared:
        yield "The audio data is longer than its header says. All of it was converted."


def _joined_warnings(used: Sequence[ChunkHeader]) -> Iterator[str]:
    joined = len({header.container.start for header in used})
    if joined > 1:
        yield (
            f"The file holds {joined} WAVs of the same format, one after another. The audio of all was converted; "
            "tags and markers come from the first one."
        )
    elif len(used) > 1:
        yield f"The WAV has {len(used)} data chunks. All of them were converted, one after another."


def _contradicting_fmt(
    source: Source, headers: Sequence[ChunkHeader], fmt: FmtChunk
) -> Iterator[str]:
    """Report a second fmt chunk that no audio follows."""
    wav = headers[0].container
    payloads = {
        source.read(each.offset, min(each.size, MIN_FMT_BYTES))
        for each in headers
        if each.id == b"fmt " and each.container == wav
    }
    if len(payloads) > 1:
        yield (
            f"The WAV has several fmt chunks that contradict each other. The first one was used: {fmt.codec.label}, "
            f"{fmt.channels} channel(s), {fmt.sample_rate_hz} Hz."
        )


def _left_out(source: Source, headers: Sequence[ChunkHeader], data: ChunkHeader) -> str:
    fmt = _format(source, headers, data)
    samples = None if fmt is None else fmt.estimate_samples(data.size)
    if fmt is None or samples is None:
        return (
            f"The file holds a second recording of {data.size} bytes that cannot be joined to the first. "
            "It was left out: upload it as a file of its own."
        )
    return (
        f"The file holds a second recording, {fmt.codec.label} with {fmt.channels} channel(s) and {fmt.sample_rate_hz} Hz, "
        f"that cannot be joined to the first. Its {samples / fmt.sample_rate_hz:.2f} s were left out: "
        "upload it as a file of its own."
    )


def _padded_end(header: ChunkHeader) -> int:
    end = header.offset + header.size
    return end + (header.container.start - end) % header.container.alignment


def _stray_warnings(
    source: Source, headers: Sequence[ChunkHeader], first: ChunkHeader, fmt: FmtChunk
) -> Iterator[str]:
    """Report bytes after the audio that are no chunk, unless they are zeros as some programs add."""
    after = [header for header in headers if header.offset >= first.offset]
    stray = next((header for header in after if not header.is_plausible), None)
    at = _padded_end(after[-1]) if stray is None else stray.offset - stray.container.header_bytes
    count = source.size_bytes - at
    if count < fmt.block_align or not any(source.read(at, _COMPARED_BYTES)):
        return
    samples = fmt.estimate_samples(count)
    length = "" if samples is None else f" ({samples / fmt.sample_rate_hz:.2f} s if they are audio)"
    yield (
        f"After the declared end of the audio, {count} bytes follow that are no chunk of a WAV{length}. "
        "They were left out. If the recording is longer than the MP3, correct the header's sizes and upload it again."
    )
