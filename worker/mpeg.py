"""MP3 frames: split a stream into them, cut a segment out of it, pack them into the bit reservoir.

A frame is `bytes`: header (4), CRC (2, only where the protection bit is 0), side info, main data.
A stream is what ffmpeg writes without tags: whole layer III frames of MPEG-1, 2 or 2.5, all of one
version, sample rate and number of channels. Everything here takes and gives iterables, holds a few
frames at most, and takes time linear in the bytes. What is not such a stream raises `EncodeFailed`.

Sources: ISO/IEC 11172-3, 2.4.1 (syntax) and 2.4.2 (`main_data_begin`, bitrates); ISO/IEC 13818-3,
2.4 (lower sample rates); LAME's `bitstream.c` and `reservoir.c` (MPEG-2.5, the decoder's buffer).
"""

from bisect import bisect_left
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

_HEADER_BYTES = 4
_CRC_BYTES = 2
_BITRATE_AND_PADDING_BITS = 0xF200
_NO_CRC_BIT = 0x10000
# A decoder need not hold more, of the reservoir and a frame, than the longest frame there is:
# 320 kbit/s at 32 kHz, padded. LAME keeps to this too.
_DECODER_BUFFER_BYTES = 1441

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
        main_bytes = frame_bytes - _HEADER_BYTES - self.side_info_bytes
        return Slot(main_bytes, frame_bytes, bitrate_kbps, header_bits)

    def slot_of(self, header: bytes) -> Slot:
        bits = int.from_bytes(header) & _BITRATE_AND_PADDING_BITS
        for slot in self.slots:
            if slot.header_bits == bits:
                return slot
        raise EncodeFailed

    def empty_head(self, header: bytes, slot: Slot) -> bytes:
        """Header and side info of a silent frame in `slot`, otherwise like that of `header`."""
        bits = int.from_bytes(header) & ~_BITRATE_AND_PADDING_BITS
        return (bits | slot.header_bits | _NO_CRC_BIT).to_bytes(4) + bytes(self.side_info_bytes)


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
        while start + _HEADER_BYTES <= len(data):
            end = start + sizes[data[start : start + _HEADER_BYTES]]
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


class _Packer:
    """The arithmetic of `pack` for one format. A head is header and side info as one number."""

    def __init__(self, stream_format: Format) -> None:
        begin_bits, block_bits = (9, 59) if stream_format.version == 1 else (8, 63)
        blocks = 2 * stream_format.channels // stream_format.version
        self._slots = stream_format.slots
        self._head_bytes = _HEADER_BYTES + stream_format.side_info_bytes
        self._side_bits = 8 * stream_format.side_info_bytes
        self._begin_shift = self._side_bits - begin_bits
        self._begin_max = (1 << begin_bits) - 1
        # The side info ends in a block per granule and channel, which starts with part2_3_length.
        self._length_shifts = [block_bits * (block + 1) - 12 for block in range(blocks)]

    def take_apart(self, frame: bytes) -> tuple[int, bytes]:
        """The head without bitrate, padding and CRC, and the main data."""
        if not frame[1] & 1:
            frame = frame[:_HEADER_BYTES] + frame[_HEADER_BYTES + _CRC_BYTES :]
        head = int.from_bytes(frame[: self._head_bytes])
        main_bits = 0
        for shift in self._length_shifts:
            main_bits += head >> shift & 0xFFF
        main_end = self._head_bytes + (main_bits + 7) // 8
        if head >> self._begin_shift & self._begin_max or main_end > len(frame):
            raise EncodeFailed
        head = head & ~(_BITRATE_AND_PADDING_BITS << self._side_bits)
        return head | _NO_CRC_BIT << self._side_bits, frame[self._head_bytes : main_end]

    def place(self, reservoir: int, main_bytes: int) -> tuple[Slot, int]:
        """The smallest slot that will do, and its `main_data_begin`: how far back the data starts."""
        begin = min(reservoir, self._begin_max)
        slot = self._slots[bisect_left(self._slots, (main_bytes - begin,))]
        return slot, min(begin, _DECODER_BUFFER_BYTES - slot.frame_bytes)

    def rewrite(self, head: int, slot: Slot, begin: int) -> bytes:
        head |= slot.header_bits << self._side_bits | begin << self._begin_shift
        return head.to_bytes(self._head_bytes)


def pack(stream_frames: Iterable[bytes]) -> Iterator[bytes]:
    """Move frames encoded with the bit reservoir off into it, each at the smallest bitrate that will do.

    A decoder reads the main data of all frames as one string of bytes that heads interrupt. Here it is
    laid end to end and interrupted anew; what decodes from it stays the same. Nothing reaches across
    either end, so the packed segments of one MP3 are joined by concatenation.
    """
    packer = None
    main = bytearray()
    waiting: deque[tuple[bytes, int]] = deque()  # heads, and the slots that main does not fill yet
    reservoir = 0
    for frame in stream_frames:
        packer = packer or _Packer(Format.of(frame[:_HEADER_BYTES]))
        head, main_data = packer.take_apart(frame)
        slot, begin = packer.place(reservoir, len(main_data))
        main += bytes(reservoir - begin)
        main += main_data
        reservoir = begin + slot.main_bytes - len(main_data)
        waiting.append((packer.rewrite(head, slot, begin), slot.main_bytes))
        yield from _filled(waiting, main)
    main += bytes(reservoir)
    yield from _filled(waiting, main)


def _filled(waiting: deque[tuple[bytes, int]], main: bytearray) -> Iterator[bytes]:
    while waiting and waiting[0][1] <= len(main):
        head, main_bytes = waiting.popleft()
        yield head + main[:main_bytes]
        del main[:main_bytes]
