"""MPEG audio in a WAV: its first frame, and the padding that a Xing/LAME header in that frame declares.

In: the first bytes of the data, about 16 KiB. Out: the first frame that another frame of the same kind follows, or
None. Source of the Xing/LAME header: "Mp3 Info Tag rev 1".
"""

import re

from shared.mpeg import CRC_BYTES, DECODER_DELAY_SAMPLES, HEADER_BYTES, MpegHeader, parse_header

# The name and the flags. Each flag stands for a field: number of frames, number of bytes, table, quality. The delay and
# the padding are 21 bytes after these fields; they are 0 if the encoder was not LAME.
_XING = re.compile(rb"(?:Xing|Info)\0\0\0(.)", re.DOTALL)
_XING_FIELD_BYTES = (4, 4, 100, 4)
_DELAY_AT_BYTES = 21


def first_frame(start: bytes) -> tuple[int, MpegHeader] | None:
    """Return the offset and the header of the first frame. `start` may end directly after that frame."""
    at = start.find(0xFF)
    while at >= 0:
        header = _header_at(start, at)
        if header and _is_followed(start, at, header):
            return at, header
        at = start.find(0xFF, at + 1)
    return None


def padding_samples(start: bytes, at: int, header: MpegHeader) -> tuple[int, int]:
    """Return how many samples a decoder gives before and after the audio, as the frame at `at` declares.

    The samples before the audio include the frame itself, which decodes to silence.
    """
    side_info_at = at + HEADER_BYTES + (CRC_BYTES if header.has_crc else 0)
    xing = _XING.match(start, side_info_at + header.format.side_info_bytes)
    if xing is None:
        return 0, 0
    flags = xing[1][0]
    lame_at = xing.end() + sum(
        size for bit, size in enumerate(_XING_FIELD_BYTES) if flags >> bit & 1
    )
    field = start[lame_at + _DELAY_AT_BYTES : lame_at + _DELAY_AT_BYTES + 3]
    delay, padding = divmod(int.from_bytes(field), 1 << 12)
    before = header.format.samples_per_frame + delay + DECODER_DELAY_SAMPLES
    return before, max(0, padding - DECODER_DELAY_SAMPLES)


def _is_followed(start: bytes, at: int, header: MpegHeader) -> bool:
    next_at = at + header.frame_bytes
    following = _header_at(start, next_at)
    if following is None:
        return next_at == len(start)
    ours, theirs = header.format, following.format
    return (ours.layer, ours.sample_rate_hz) == (theirs.layer, theirs.sample_rate_hz)


def _header_at(data: bytes, at: int) -> MpegHeader | None:
    return parse_header(data[at : at + HEADER_BYTES])
