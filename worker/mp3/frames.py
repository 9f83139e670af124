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
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import NamedTuple, Self

from shared.errors import EncodeFailed

# What LAME puts in front of the source's samples; what it puts behind them, at least; and what a
# decoder drops in front beside the encoder's delay, so that the last sample comes out of the padding.
ENCODER_DELAY_SAMPLES = 576
_LEAST_PADDING_SAMPLES = 576
DECODER_DELAY_SAMPLES = 529

HEADER_BYTES = 4
CRC_BYTES = 2
BITRATE_AND_PADDING_BITS = 0xF200
NO_CRC_BIT = 0x10000

# By the header's version field. 0 is MPEG-2.5, 1 is reserved.
_RATES_HZ = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_BITRATES_KBPS = {
    1: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}


class Slot(NamedTuple):
    """A size that a frame without a CRC can have, and the bitrate and padding bits that say so."""

    main_bytes: int
    frame_bytes: int
    bitrate_kbps: int
    header_bits: int


@dataclass(frozen=True)
class Format:
    """What all frames of a stream have in common. `version` is 1, or 2 for MPEG-2 and MPEG-2.5."""

    version: int
    rate_hz: int
    channels: int

    @classmethod
    def of(cls, header: bytes) -> Self:
        bits = int.from_bytes(header)
        sync, version_field, layer_field = bits >> 21, bits >> 19 & 3, bits >> 17 & 3
        rate_field, mode_field = bits >> 10 & 3, bits >> 6 & 3
        if sync != 0x7FF or version_field == 1 or layer_field != 1 or rate_field == 3:
            raise EncodeFailed
        rate_hz = _RATES_HZ[version_field][rate_field]
        return cls(1 if version_field == 3 else 2, rate_hz, 1 if mode_field == 3 else 2)

    @property
    def samples_per_frame(self) -> int:
        return 1152 // self.version

    @property
    def side_info_bytes(self) -> int:
        return {(1, 1): 17, (1, 2): 32, (2, 1): 9, (2, 2): 17}[self.version, self.channels]

    @cached_property
    def slots(self) -> list[Slot]:
        """Every slot there is, smallest first."""
        return sorted(
            self._slot(bitrate_kbps, index << 12 | padding << 9, padding)
            for index, bitrate_kbps in enumerate(_BITRATES_KBPS[self.version], start=1)
            for padding in (0, 1)
        )

    def _slot(self, bitrate_kbps: int, header_bits: int, padding: int) -> Slot:
        frame_bytes = self.samples_per_frame * 125 * bitrate_kbps // self.rate_hz + padding
        main_bytes = frame_bytes - HEADER_BYTES - self.side_info_bytes
        return Slot(main_bytes, frame_bytes, bitrate_kbps, header_bits)

    def slot_of(self, header: bytes) -> Slot:
        bits = int.from_bytes(header) & BITRATE_AND_PADDING_BITS
        for slot in self.slots:
            if slot.header_bits == bits:
                return slot
        raise EncodeFailed

    def empty_head(self, header: bytes, slot: Slot) -> bytes:
        """Header and side info of a silent frame in `slot`, otherwise like that of `header`."""
        bits = int.from_bytes(header) & ~BITRATE_AND_PADDING_BITS
        return (bits | slot.header_bits | NO_CRC_BIT).to_bytes(4) + bytes(self.side_info_bytes)


class _FrameSizes(dict[bytes, int]):
    """Header → bytes of its frame, for one stream; any other header raises `EncodeFailed`."""

    format: Format | None = None

    def __missing__(self, header: bytes) -> int:
        found = Format.of(header)
        self.format = self.format or found
        if found != self.format:
            raise EncodeFailed
        self[header] = self.format.slot_of(header).frame_bytes
        return self[header]


def frames(stream: Iterable[bytes]) -> Iterator[bytes]:
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


def cut(stream_frames: Iterable[bytes], run_in: int, keep: int) -> Iterator[bytes]:
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
