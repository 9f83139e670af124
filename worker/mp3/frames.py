"""MP3 frames: split a stream into them, and drop the frames outside a segment.

A frame is `bytes`: header (4), CRC (2, only where the protection bit is 0), side info, main data.
A stream is what ffmpeg writes without tags: whole layer III frames of MPEG-1, 2 or 2.5, all of one
version, sample rate and number of channels. Everything here takes and gives iterables, holds a few
frames at most, and takes time linear in the bytes. What is not such a stream raises `EncodeFailed`.

Sources: ISO/IEC 11172-3, 2.4.1 (syntax) and 2.4.2 (`main_data_begin`, bitrates); ISO/IEC 13818-3,
2.4 (lower sample rates); LAME's `bitstream.c` and `reservoir.c` (MPEG-2.5, the decoder's buffer).
"""

from collections import deque
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import islice
from typing import NamedTuple

from shared.errors import EncodeFailed
from shared.mpeg import ENCODER_DELAY_SAMPLES, HEADER_BYTES, FrameFormat, MpegHeader, parse_header

_LEAST_PADDING_SAMPLES = 576
"""LAME writes at least this many samples after the source's last one."""


class Slot(NamedTuple):
    """A size that a frame without a CRC can have, and the bitrate and padding bits that say so."""

    main_bytes: int
    frame_bytes: int
    bitrate_kbps: int
    header_bits: int


@cache
def slots(audio: FrameFormat) -> list[Slot]:
    """Every slot there is, smallest first."""
    return sorted(
        _slot(audio, bitrate_kbps, index << 12 | padding << 9, padding)
        for index, bitrate_kbps in enumerate(audio.bitrates_kbps, start=1)
        for padding in (0, 1)
    )


def _slot(audio: FrameFormat, bitrate_kbps: int, header_bits: int, padding: int) -> Slot:
    frame_bytes = audio.frame_bytes(bitrate_kbps, padding)
    main_bytes = frame_bytes - HEADER_BYTES - audio.side_info_bytes
    return Slot(main_bytes, frame_bytes, bitrate_kbps, header_bits)


def layer3_header(frame: bytes) -> MpegHeader:
    """The header at the start of a frame."""
    header = parse_header(frame)
    if header is None or header.format.layer != 3:
        raise EncodeFailed
    return header


class _FrameSizes(dict[bytes, int]):
    """Header → bytes of its frame, for one stream; any other header raises `EncodeFailed`."""

    format: FrameFormat | None = None

    def __missing__(self, raw: bytes) -> int:
        header = layer3_header(raw)
        self.format = self.format or header.format
        if header.format != self.format:
            raise EncodeFailed
        self[raw] = header.frame_bytes
        return self[raw]


def split_frames(stream: Iterable[bytes]) -> Iterator[bytes]:
    """The frames of a stream that comes in chunks of any size."""
    sizes = _FrameSizes()
    rest = b""
    for chunk in stream:
        data = rest + chunk
        start = 0
        while start + HEADER_BYTES <= len(data):
            end = start + sizes[data[start : start + HEADER_BYTES]]
            if end > len(data):
                break
            yield data[start:end]
            start = end
        rest = data[start:]
    if rest:
        raise EncodeFailed


def frames_needed(samples: int, samples_per_frame: int) -> int:
    """How many frames LAME makes of a source of so many samples (at least 1). They hold all of it."""
    return -(-(ENCODER_DELAY_SAMPLES + samples + _LEAST_PADDING_SAMPLES) // samples_per_frame)


def drop_run_in(stream_frames: Iterable[bytes], run_in: int, keep: int) -> Iterator[bytes]:
    """Drop `run_in` frames, give exactly `keep`, then read to the end, so that the writer can finish.

    Fewer raise `EncodeFailed`: a segment that ends early must never become a part.
    """
    source = iter(stream_frames)
    given = 0
    for frame in islice(source, run_in, run_in + keep):
        given += 1
        yield frame
    if given < keep:
        raise EncodeFailed
    deque(source, maxlen=0)
