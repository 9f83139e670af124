"""MP3 frames: splits a stream into frames and drops the frames outside a segment.

A frame is `bytes`: header (4), CRC (2, only if the protection bit is 0), side info, main data. A stream is the output
of ffmpeg without tags: whole layer III frames of one version, sample rate and number of channels. The functions take
and give iterables, hold a few frames at most, and take time linear in the bytes. They raise `EncodeFailed` for bytes
that are not such a stream.

Sources: those of `shared/mpeg.py`; LAME's `bitstream.c` and `lame.c` (the samples it adds before and after a source).
"""

from collections import deque
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import islice
from typing import NamedTuple

from shared.errors import EncodeFailed
from shared.mpeg import (
    DECODER_DELAY_SAMPLES,
    ENCODER_DELAY_SAMPLES,
    HEADER_BYTES,
    FrameFormat,
    MpegHeader,
    parse_header,
)

_MIN_PADDING_SAMPLES = 576
"""LAME adds at least this many samples after the source's last one."""


class Slot(NamedTuple):
    """A possible size of a frame without a CRC, and the bitrate and padding bits of its header."""

    main_bytes: int
    frame_bytes: int
    bitrate_kbps: int
    header_bits: int


@cache
def slots(frame_format: FrameFormat) -> list[Slot]:
    """Return every slot of a format, smallest first."""
    return sorted(
        _slot(frame_format, bitrate_kbps, index << 12 | padding << 9, padding)
        for index, bitrate_kbps in enumerate(frame_format.bitrates_kbps, start=1)
        for padding in (0, 1)
    )


def _slot(frame_format: FrameFormat, bitrate_kbps: int, header_bits: int, padding: int) -> Slot:
    frame_bytes = frame_format.frame_bytes(bitrate_kbps, padding)
    main_bytes = frame_bytes - HEADER_BYTES - frame_format.side_info_bytes
    return Slot(main_bytes, frame_bytes, bitrate_kbps, header_bits)


def layer3_header(frame: bytes) -> MpegHeader:
    """Return the header at the start of a frame. Raises EncodeFailed if it is not a layer III header."""
    header = parse_header(frame)
    if header is None or header.format.layer != 3:
        raise EncodeFailed
    return header


class _FrameSizes(dict[bytes, int]):
    """Maps the headers of one stream to the sizes of their frames. Other headers raise `EncodeFailed`."""

    format: FrameFormat | None = None

    def __missing__(self, raw: bytes) -> int:
        header = layer3_header(raw)
        self.format = self.format or header.format
        if header.format != self.format:
            raise EncodeFailed
        self[raw] = header.frame_bytes
        return self[raw]


def split_frames(stream: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the frames of a stream that arrives in chunks of any size."""
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


def lead_in(samples: int, samples_per_frame: int) -> int:
    """Return the number of silent samples to encode before a clip. The encoder's delay in the header includes them.

    Decoders skip the delays of encoder and decoder. With frames of 576 samples, the skipped samples end in the second
    frame. ffmpeg skips nothing if the clip ends inside the same frame. The lead-in makes a clip of up to 46 samples end
    at the end of that frame.
    """
    delay = ENCODER_DELAY_SAMPLES + DECODER_DELAY_SAMPLES
    return max(0, 2 * samples_per_frame - delay - samples) if samples_per_frame < delay else 0


def frames_needed(samples: int, samples_per_frame: int) -> int:
    """Return how many frames LAME needs for `samples` samples (at least 1)."""
    samples += lead_in(samples, samples_per_frame)
    return -(-(ENCODER_DELAY_SAMPLES + samples + _MIN_PADDING_SAMPLES) // samples_per_frame)


def drop_run_in(stream_frames: Iterable[bytes], run_in: int, keep: int) -> Iterator[bytes]:
    """Drop `run_in` frames, yield the next `keep`, then read to the end so that ffmpeg can finish.

    Raises EncodeFailed if there are fewer frames: an incomplete segment must never become a part.
    """
    source = iter(stream_frames)
    kept = 0
    for frame in islice(source, run_in, run_in + keep):
        kept += 1
        yield frame
    if kept < keep:
        raise EncodeFailed
    deque(source, maxlen=0)
