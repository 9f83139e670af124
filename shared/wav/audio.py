"""The audio of a WAV: its data chunks, the WAVs that follow the first one, and the bytes that belong to neither.

In: the chunk headers, and the `FmtChunk` of the first audio. Out: an `Audio`. Every byte of audio that is left out has
a warning. Raises nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from shared.errors import BadWav
from shared.wav.chunks import ChunkHeader
from shared.wav.codecs import Codec
from shared.wav.container import Source
from shared.wav.fmt import MAX_FMT_BYTES, MIN_FMT_BYTES, FmtChunk, parse_fmt
from shared.wav.info import DataRange
from shared.wav.streaming import is_streaming_size

_MAX_SENTENCES = 5
_LEFT_OUT = (
    "The file holds another recording, which cannot be joined to the first: {} were left out. "
    "Upload it as a separate file."
)
_TAGS = {b"TAG": "ID3v1", b"APE": "APE"}
_MIN_SILENCE_BYTES = 1 << 16
"""More zeros than programs add at the end of a file: they may be silence of the recording."""
# Compressed audio whose blocks do not depend on each other.
_INDEPENDENT_BLOCKS = frozenset({Codec.IMA_ADPCM, Codec.MS_ADPCM, Codec.GSM, Codec.XBOX_ADPCM})


@dataclass(frozen=True, slots=True)
class Audio:
    data: tuple[DataRange, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Recording:
    data: ChunkHeader
    fmt: FmtChunk | None
    """Without warnings. None if it is missing or cannot be converted."""


def read_fmt(source: Source, header: ChunkHeader) -> FmtChunk:
    """Decode and check a `fmt ` chunk. Raises `BadWav`."""
    payload = source.read(header.offset, min(header.size, MAX_FMT_BYTES))
    return parse_fmt(payload, big_endian=header.container.big_endian)


def collect_audio(
    source: Source, headers: Sequence[ChunkHeader], first: ChunkHeader, fmt: FmtChunk
) -> Audio:
    """Return the place of all audio that has the format of the `first` data chunk with samples."""
    found = list(_find_recordings(source, headers))
    wanted = next(each.fmt for each in found if each.data is first)
    is_joinable = fmt.is_raw or fmt.codec in _INDEPENDENT_BLOCKS
    used: list[_Recording] = []
    others: list[_Recording] = []
    for each in found:
        is_same = is_joinable and _layout(each.fmt) == _layout(wanted)
        (used if each.data is first or is_same else others).append(each)
    ranges = [_whole_blocks(each.data, fmt, is_last=each is used[-1]) for each in used]
    warnings = [
        *_size_warnings([each.data for each in used], fmt),
        *_joined_warnings([each.data for each in used]),
        *_contradicting_fmt(source, headers, fmt),
        *_left_out(others),
        *_stray_warnings(source, headers, first, fmt),
    ]
    return Audio(tuple(data_range for data_range in ranges if data_range.size), tuple(warnings))


def _find_recordings(source: Source, headers: Sequence[ChunkHeader]) -> Iterator[_Recording]:
    """Yield every data chunk that has samples, with the format that the nearest fmt chunk before it gives."""
    fmts: dict[int, FmtChunk | None] = {}  # by the start of the WAV
    for header in headers:
        # The first fmt chunk describes the first audio, even if it comes later.
        if header.id == b"fmt ":
            fmts.setdefault(header.container.start, _parse(source, header))
    for header in headers:
        if header.id == b"fmt ":
            fmts[header.container.start] = _parse(source, header)
        elif header.id == b"data" and header.size:
            yield _Recording(header, fmts.get(header.container.start))


def _parse(source: Source, header: ChunkHeader) -> FmtChunk | None:
    try:
        return replace(read_fmt(source, header), warnings=())
    except BadWav:
        return None


def _layout(fmt: FmtChunk | None) -> tuple[object, ...]:
    if fmt is None:
        return ()
    return fmt.codec, fmt.channels, fmt.sample_rate_hz, fmt.block_align, fmt.bits_per_sample


def _whole_blocks(data: ChunkHeader, fmt: FmtChunk, *, is_last: bool) -> DataRange:
    if not fmt.is_raw and is_last:
        return DataRange(data.offset + fmt.tag_bytes, data.size - fmt.tag_bytes)
    size = data.size - fmt.late_bytes
    return DataRange(data.offset + fmt.late_bytes, size // fmt.block_align * fmt.block_align)


def _size_warnings(used: Sequence[ChunkHeader], fmt: FmtChunk) -> Iterator[str]:
    block_align = fmt.block_align if fmt.is_raw else 1
    declared = [data for data in used if not is_streaming_size(data.declared)]
    shorter = [data for data in declared if data.declared // block_align > data.size // block_align]
    if shorter:
        missing = sum(data.declared - data.size for data in shorter)
        yield (
            f"The audio data is {missing} bytes shorter than its header says. "
            f"The {sum(data.size for data in used)} bytes that are present were converted."
        )
    cut = sum(rest for data in used if (rest := data.size % block_align) > 1)  # 1 may be a pad byte
    if cut and not shorter:
        yield f"The audio data ends inside a sample: {cut} bytes were left out."
    if skipped := sum(data.skipped for data in used):
        yield (
            f"The audio data starts with {skipped} bytes of an old header, which a program left there. "
            "They were left out."
        )
    if any(data.size > data.declared for data in declared):
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


def _left_out(others: Sequence[_Recording]) -> Iterator[str]:
    """Yield a sentence for each format, because a file may hold thousands of recordings."""
    by_format: dict[tuple[object, ...], list[_Recording]] = {}
    for each in others:
        by_format.setdefault(_layout(each.fmt), []).append(each)
    groups = list(by_format.values())
    for group in groups[:_MAX_SENTENCES]:
        yield _LEFT_OUT.format(_describe(group[0].fmt, sum(each.data.size for each in group)))
    rest = sum(each.data.size for group in groups[_MAX_SENTENCES:] for each in group)
    if rest:
        yield _LEFT_OUT.format(f"{rest} bytes in other formats")


def _describe(fmt: FmtChunk | None, size: int) -> str:
    samples = None if fmt is None else fmt.estimate_samples(size)
    if fmt is None or samples is None:
        return f"{size} bytes of unknown length"
    seconds = f"{samples / fmt.sample_rate_hz:.2f} s"
    return (
        f"{seconds} of {fmt.codec.label} with {fmt.channels} channel(s) and {fmt.sample_rate_hz} Hz"
    )


def _is_zero(source: Source, start: int) -> bool:
    return not any(source.read(start, _MIN_SILENCE_BYTES))


def _padded_end(header: ChunkHeader) -> int:
    end = header.offset + header.size
    return end + (header.container.start - end) % header.container.alignment


def _stray_warnings(
    source: Source, headers: Sequence[ChunkHeader], first: ChunkHeader, fmt: FmtChunk
) -> Iterator[str]:
    """Report bytes after the audio that are not a chunk. A few zeros, which some programs add, are ignored."""
    after = [header for header in headers if header.offset >= first.offset]
    stray = next((header for header in after if not header.is_plausible), None)
    at = _padded_end(after[-1]) if stray is None else stray.offset - stray.container.header_bytes
    count = source.size_bytes - at
    if count < fmt.block_align or (count < _MIN_SILENCE_BYTES and _is_zero(source, at)):
        return
    if tag := _TAGS.get(source.read(at, 3)):
        yield f"An {tag} tag of {count} bytes follows the audio. It was left out."
        return
    samples = fmt.estimate_samples(count)
    length = "" if samples is None else f" ({samples / fmt.sample_rate_hz:.2f} s if they are audio)"
    yield (
        f"{count} bytes follow the declared end of the audio and are not a chunk of a WAV{length}. "
        "They were left out. If the recording is longer than the MP3, correct the header's sizes and upload it again."
    )
