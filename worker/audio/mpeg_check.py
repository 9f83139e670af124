"""Finds damage in MPEG audio that its decoder conceals, while the bytes pass to the decoder.

In: the bytes of the data, in order. Out: counts in `Flaws`. A frame of layer III is damaged if its CRC is wrong, if it
is cut off, or if its main data starts before the free end of the bit reservoir or ends after the frame. Errors inside
the main data cannot be found, because almost every sequence of bits is valid there. Raises nothing.
Sources: ISO/IEC 11172-3, 2.4.1.7 (side info), 2.4.2.3 (CRC) and 2.4.3.4 (`main_data_begin`); ISO/IEC 13818-3, 2.4.1.7.
"""

from fastcrc import crc16

from shared.mpeg import CRC_BYTES, HEADER_BYTES, MpegHeader, parse_header
from worker.audio.flaws import Flaws

_MAX_FRAME_BYTES = 1 << 12
_MAX_STRAY_BYTES = 1 << 18
"""After this many stray bytes the check stops early, because the search for a frame is slow."""


class FrameCheck:
    """Walks over the frames. `expected` is their number according to a Xing header, or 0."""

    def __init__(self, flaws: Flaws, expected: int) -> None:
        self._flaws = flaws
        self._expected = expected
        self._held = bytearray()
        self._last: MpegHeader | None = None
        self._frames = 0
        self._skipped = bytearray()
        """Bytes after the last frame that belong to no frame."""
        self._reservoir_bytes = 0

    def read(self, chunk: bytes) -> None:
        if not self._has_ended():
            self._held += chunk
            self._walk(len(self._held) - _MAX_FRAME_BYTES - HEADER_BYTES)

    def finish(self) -> None:
        """Read the last frames, and compare their number with the expected one."""
        self._walk(len(self._held))
        has_ended = self._has_ended()
        self._flaws.stray_bytes += len(self._skipped.strip(b"\0"))
        absent = self._expected + 1 - self._frames  # the frame of the Xing header counts itself
        if self._expected and absent > 1 and self._last and not has_ended:
            self._flaws.absent_samples = absent * self._last.format.samples_per_frame

    def _has_ended(self) -> bool:
        return self._flaws.stray_bytes + len(self._skipped) >= _MAX_STRAY_BYTES

    def _walk(self, end: int) -> None:
        at = 0
        while at < end:
            header = self._header_at(at)
            if header is None:
                following = self._held.find(0xFF, at + 1, end)
                following = end if following < 0 else following
                self._skipped += self._held[at:following]
                at = following
            else:
                self._count(header, bytes(self._held[at : at + header.frame_bytes]))
                at += header.frame_bytes
        del self._held[:at]

    def _header_at(self, at: int) -> MpegHeader | None:
        """Return the header of a frame. After stray bytes or in a new format, another frame must follow the frame."""
        header = parse_header(bytes(self._held[at : at + HEADER_BYTES]))
        if header is None:
            return None
        if self._last and not self._skipped and header.format == self._last.format:
            return header
        end = at + header.frame_bytes
        following = parse_header(bytes(self._held[end : end + HEADER_BYTES]))
        is_followed = following is not None and following.format == header.format
        return header if is_followed or end == len(self._held) else None

    def _count(self, header: MpegHeader, frame: bytes) -> None:
        if self._skipped:
            # Zeros before the first frame are padding.
            self._flaws.stray_bytes += len(
                self._skipped if self._last else self._skipped.strip(b"\0")
            )
            self._reservoir_bytes = 0
            self._skipped.clear()
        if self._last and header.format != self._last.format:
            self._flaws.contradicting_formats = 1
        is_damaged = len(frame) < header.frame_bytes
        if header.format.layer == 3 and not is_damaged:
            is_damaged = self._is_damaged(header, frame)
        self._flaws.damaged_samples += is_damaged * header.format.samples_per_frame
        self._last = header
        self._frames += 1

    def _is_damaged(self, header: MpegHeader, frame: bytes) -> bool:
        start = HEADER_BYTES + (CRC_BYTES if header.has_crc else 0)
        side_info = frame[start : start + header.format.side_info_bytes]
        begin, main_bytes = _main_data(header, side_info)
        is_late = begin > self._reservoir_bytes
        left = begin + len(frame) - start - len(side_info) - main_bytes
        self._reservoir_bytes = max(0, left)
        has_wrong_crc = header.has_crc and crc16.cms(frame[2:4] + side_info) != int.from_bytes(
            frame[HEADER_BYTES:start]
        )
        return is_late or left < 0 or has_wrong_crc


def _main_data(header: MpegHeader, side_info: bytes) -> tuple[int, int]:
    """Return `main_data_begin` and the bytes of the frame's main data."""
    bits = int.from_bytes(side_info)
    main_bits = sum(bits >> shift & 0xFFF for shift in header.format.part2_3_length_shifts)
    begin = bits >> 8 * len(side_info) - header.format.main_data_begin_bits
    return begin, (main_bits + 7) // 8
