"""Packs frames that were encoded with the bit reservoir off back into the reservoir.

A stream without a reservoir spends a whole slot on each frame. `pack` writes the main data without gaps and gives each
frame the smallest bitrate that holds its data. The decoded samples do not change.

Sources: ISO/IEC 11172-3, 2.4.1 (syntax) and 2.4.2 (`main_data_begin`); ISO/IEC 13818-3, 2.4 (lower sample rates);
LAME's `reservoir.c` (the decoder's buffer).
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator

from shared.errors import EncodeFailed
from shared.mpeg import BITRATE_AND_PADDING_BITS, CRC_BYTES, HEADER_BYTES, NO_CRC_BIT, FrameFormat
from worker.mp3.frames import Slot, layer3_header, slots

_DECODER_BUFFER_BYTES = 1441
"""The longest frame: 320 kbit/s at 32 kHz, padded. Reservoir and frame together may not exceed it, as in LAME."""


class _Packer:
    """The arithmetic of `pack` for one format. A head is header and side info as one number."""

    def __init__(self, frame_format: FrameFormat) -> None:
        self._slots = slots(frame_format)
        self._head_bytes = HEADER_BYTES + frame_format.side_info_bytes
        self._side_bits = 8 * frame_format.side_info_bytes
        self._begin_shift = self._side_bits - frame_format.main_data_begin_bits
        self._begin_max = (1 << frame_format.main_data_begin_bits) - 1
        self._length_shifts = frame_format.part2_3_length_shifts

    def split(self, frame: bytes) -> tuple[int, bytes]:
        """Return the head without bitrate, padding and CRC, and the main data."""
        if not frame[1] & 1:
            frame = frame[:HEADER_BYTES] + frame[HEADER_BYTES + CRC_BYTES :]
        head = int.from_bytes(frame[: self._head_bytes])
        main_bits = 0
        for shift in self._length_shifts:
            main_bits += head >> shift & 0xFFF
        main_end = self._head_bytes + (main_bits + 7) // 8
        if head >> self._begin_shift & self._begin_max or main_end > len(frame):
            raise EncodeFailed
        head = head & ~(BITRATE_AND_PADDING_BITS << self._side_bits)
        return head | NO_CRC_BIT << self._side_bits, frame[self._head_bytes : main_end]

    def choose_slot(self, reservoir: int, main_bytes: int) -> tuple[Slot, int]:
        """Return the smallest sufficient slot and `main_data_begin`, the bytes by which the data starts earlier."""
        begin = min(reservoir, self._begin_max)
        slot = self._slots[bisect_left(self._slots, (main_bytes - begin,))]
        return slot, min(begin, _DECODER_BUFFER_BYTES - slot.frame_bytes)

    def build_head(self, head: int, slot: Slot, begin: int) -> bytes:
        head |= slot.header_bits << self._side_bits | begin << self._begin_shift
        return head.to_bytes(self._head_bytes)


def pack(stream_frames: Iterable[bytes]) -> Iterator[bytes]:
    """Move frames that were encoded with the bit reservoir off into it, each at the smallest sufficient bitrate.

    A decoder reads the main data of all frames as one string of bytes with heads in between. `pack` puts the heads in
    other places; the string decodes to the same samples. No main data crosses the start or the end of a segment, so
    the packed segments of an MP3 are joined by concatenation. Raises EncodeFailed if a frame uses the reservoir.
    """
    packer = None
    main = bytearray()
    waiting: deque[tuple[bytes, int]] = deque()  # heads, and the main bytes that their slots need
    reservoir = 0
    for frame in stream_frames:
        packer = packer or _Packer(layer3_header(frame).format)
        head, main_data = packer.split(frame)
        slot, begin = packer.choose_slot(reservoir, len(main_data))
        main += bytes(reservoir - begin)
        main += main_data
        reservoir = begin + slot.main_bytes - len(main_data)
        waiting.append((packer.build_head(head, slot, begin), slot.main_bytes))
        yield from _take_full_frames(waiting, main)
    main += bytes(reservoir)
    yield from _take_full_frames(waiting, main)


def _take_full_frames(waiting: deque[tuple[bytes, int]], main: bytearray) -> Iterator[bytes]:
    while waiting and waiting[0][1] <= len(main):
        head, main_bytes = waiting.popleft()
        yield head + main[:main_bytes]
        del main[:main_bytes]
