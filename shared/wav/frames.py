"""Detects frames of MPEG audio or AAC in place of samples: some recorders forget to decode them.

In: the first bytes of the data, about 16 KiB. Out: the format, or None. Several frames must follow one another, because
a sync is only a few bits. Source of the ADTS header: ISO 13818-7, 6.2.
"""

import re
from collections.abc import Callable

from shared.mpeg import HEADER_BYTES, parse_header

_SEARCHED_BYTES = 2048
_MIN_FRAMES = 6
_ADTS_HEADER_BYTES = 7
_SYNC = re.compile(rb"\xff[\xe2-\xfe][^\xf0-\xff]")
"""Does not match samples of -1 and of full scale, which are frequent."""


def detect_frames(start: bytes) -> str | None:
    """Return the name of the stream in these bytes."""
    for match in _SYNC.finditer(start, 0, _SEARCHED_BYTES):
        for name, read_header in (("MP3", _mpeg_header), ("AAC", _adts_header)):
            if _are_followed(start, match.start(), read_header):
                return name
    return None


def _are_followed(
    start: bytes, at: int, read_header: Callable[[bytes], tuple[object, int] | None]
) -> bool:
    """Return True if different frames of one kind follow from `at` on. Equal frames are periods of a tone."""
    kind, count, frames = None, 0, set()
    while header := read_header(start[at : at + _ADTS_HEADER_BYTES]):
        if kind not in (None, header[0]):
            break
        kind, frame_bytes = header
        count += 1
        frame = start[at : at + frame_bytes]
        if len(frame) == frame_bytes:
            frames.add(frame)
        at += frame_bytes
    return count >= _MIN_FRAMES and len(frames) > 1


def _mpeg_header(head: bytes) -> tuple[object, int] | None:
    """Return the kind and the size of a frame. Layer I is rare, and its header looks like a square wave."""
    header = parse_header(head[:HEADER_BYTES])
    if header is None or header.format.layer == 1:
        return None
    return header.format, header.frame_bytes


def _adts_header(head: bytes) -> tuple[object, int] | None:
    if len(head) < _ADTS_HEADER_BYTES or head[0] != 0xFF or head[1] & 0xF6 != 0xF0:
        return None
    frame_bytes = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    kind = head[1], head[2] & 0xFC
    return (kind, frame_bytes) if frame_bytes > _ADTS_HEADER_BYTES else None
