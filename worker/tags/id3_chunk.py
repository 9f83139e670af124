"""Reads the ID3v2 tag inside a WAV's `id3 ` chunk as mutagen frames and repairs its text.

In: the bytes of a chunk, valid or not. Out: frames added to a tag, all text as UTF-8; frames that the tag already has
stay. Pictures keep their bytes, MIME type and kind. Text that should be Latin-1 is in a code page in many files, so it
is decoded with the file's other text. Raises nothing; unreadable frames are left out.
Sources: ID3v2.2, 2.3.0 and 2.4.0 frames (section 4 of each), and the ID3v2 Chapter Frame Addendum.
"""

import struct
from collections.abc import Callable
from itertools import islice
from typing import Any

from mutagen.id3 import CHAP, CTOC, ID3, Frame, ID3Tags, TextFrame
from mutagen.id3 import Encoding as Charset

from worker.tags.charset import FileText
from worker.tags.genres import describe_genres
from worker.tags.id3_dates import join_old_dates
from worker.tags.id3_frames import (
    MAX_VALUE_CHARS,
    comment,
    described_text_or_url,
    picture,
    text_or_url,
)
from worker.tags.id3_text import (
    MAX_TEXT_VALUES,
    Reading,
    decode_latin1,
    split_at_terminator,
)
from worker.tags.id3_walk import walk_frames, walk_tag
from worker.tags.left_out import describe_frames
from worker.tags.text import MAX_TEXT_BYTES

MAX_FRAMES = 1_000
MAX_CHAPTER_SUB_FRAMES = 20

# The same layout in every version, so copied as they are. MLLT, ASPI and SEEK describe the old file and are left out.
_OPAQUE = {"ETCO", "GEOB", "MCDI", "OWNE", "PCNT", "POPM", "PRIV", "SYLT", "UFID", "USER"}
_RENAMED = {"IPLS": "TIPL", "TORY": "TDOR"}
_ONLY_IN_V23 = {"TRDA", "TSIZ"}
"""Recording dates in words, and the size of the old file."""


def add_frames(tag: ID3, raw: bytes, texts: FileText) -> list[str]:
    """Add the frames of the ID3v2 tag in `raw`, as ID3v2.4. Return sentences for the user about losses."""
    unreadable: list[str] = []
    major, frames = walk_tag(raw, unreadable)
    reading = Reading(major, texts, unreadable)
    for name, data in islice(frames, MAX_FRAMES):
        if name in _OPAQUE:
            tag.unknown_frames.append(_opaque(name, data))
        else:
            _read_frame(tag, name, data, reading)
    excess = [name for name, _ in frames]
    join_old_dates(tag, reading)
    tag.update_to_v24()
    return [
        *describe_frames(
            unreadable, "left out, because they cannot be read or have no place in the new tag"
        ),
        *describe_frames(excess, f"left out, because a tag may have {MAX_FRAMES}"),
        *describe_frames(
            reading.repeated, "left out, because other values of the same kind come first"
        ),
        *describe_frames(reading.dates, "shortened to the date in them, or left out without one"),
        *describe_frames(
            reading.cut,
            f"cut: a text may have {MAX_TEXT_VALUES} values, a value {MAX_VALUE_CHARS} characters, a frame "
            f"{MAX_TEXT_BYTES} bytes and a chapter {MAX_CHAPTER_SUB_FRAMES} frames",
        ),
        *describe_genres(reading.genres),
    ]


def _read_frame(tag: ID3Tags, name: str, data: bytes, reading: Reading) -> None:
    name = _RENAMED.get(name, name)
    read = _READERS.get(name, text_or_url)
    frame = None if name in _ONLY_IN_V23 else read(name, data, reading)
    if frame is None:
        reading.unreadable.append(name)
    else:
        _add(tag, frame, reading)


def _add(tag: ID3Tags, frame: Any, reading: Reading) -> None:
    if isinstance(frame, TextFrame) and not str(frame):
        return  # an empty text must not hide a value from another chunk
    if frame.FrameID == "APIC" and frame.HashKey in tag:
        # Pictures of a tag must have different descriptions, but many have none. Players do not show blanks.
        frame.desc += " " * len(tag.getall("APIC"))
    if frame.HashKey not in tag:
        tag.add(frame)
    elif tag[frame.HashKey] != frame:
        reading.repeated.append(frame.FrameID)


def _opaque(name: str, data: bytes) -> bytes:
    size = bytes(len(data) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return name.encode() + size + b"\0\0" + data


def _chapter(name: str, data: bytes, reading: Reading) -> Frame | None:
    """Read a CHAP frame, except for its byte offsets, which refer to another file."""
    element_id, rest = split_at_terminator(data, Charset.LATIN1)
    if len(rest) < 16:
        return None
    start_ms, end_ms = struct.unpack_from(">2I", rest)
    return CHAP(
        element_id=decode_latin1(name, element_id, reading),
        start_time=start_ms,
        end_time=end_ms,
        sub_frames=_sub_frames(rest, 16, reading),
    )


def _table_of_contents(name: str, data: bytes, reading: Reading) -> Frame | None:
    element_id, rest = split_at_terminator(data, Charset.LATIN1)
    if len(rest) < 2:
        return None
    *children, end = rest[2:].split(b"\0", rest[1])
    return CTOC(
        element_id=decode_latin1(name, element_id, reading),
        flags=rest[0],
        child_element_ids=[decode_latin1(name, child, reading) for child in children],
        sub_frames=_sub_frames(end, 0, reading),
    )


def _sub_frames(data: bytes, at: int, reading: Reading) -> list[Frame]:
    """Read the frames inside a chapter or a table of contents."""
    found = walk_frames(data, reading.major, at, reading.unreadable, unsynchronised=False)
    tags = ID3Tags()
    for name, sub in islice(found, MAX_CHAPTER_SUB_FRAMES):
        if name in ("CHAP", "CTOC"):
            reading.unreadable.append(name)
        else:
            _read_frame(tags, name, sub, reading)
    join_old_dates(tags, reading)
    reading.cut += ["CHAP"] * (next(found, None) is not None)
    return list(tags.values())


_READERS: dict[str, Callable[[str, bytes, Reading], Frame | None]] = {
    "APIC": picture,
    "CHAP": _chapter,
    "COMM": comment,
    "CTOC": _table_of_contents,
    "TXXX": described_text_or_url,
    "USLT": comment,
    "WXXX": described_text_or_url,
}
