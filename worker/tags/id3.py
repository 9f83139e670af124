"""Reads the ID3v2 tag inside a WAV's `id3 ` chunk as mutagen frames and repairs its text.

In: the bytes of a chunk, valid or not. Out: frames added to a tag, all text as UTF-8; frames that the tag already has
stay. Pictures keep their bytes, MIME type and kind. Text that should be Latin-1 is in a code page in many files, so it
is decoded with the file's other text. Raises nothing; unreadable frames are left out.
Sources: ID3v2.2, 2.3.0 and 2.4.0 frames (section 4 of each), and the ID3v2 Chapter Frame Addendum.
"""

import re
import struct
from collections.abc import Callable
from itertools import islice, zip_longest
from typing import Any

from mutagen.id3 import (
    APIC,
    CHAP,
    CTOC,
    ID3,
    TXXX,
    WXXX,
    Frame,
    Frames,
    ID3TimeStamp,
    PairedTextFrame,
    TextFrame,
    TimeStampTextFrame,
    UrlFrame,
)
from mutagen.id3 import Encoding as Charset

from worker.tags.charset import FileText
from worker.tags.id3_text import (
    MAX_TEXT_VALUES,
    Reading,
    decode_latin1,
    decode_text,
    split_at_terminator,
    split_charset,
    values,
)
from worker.tags.id3_walk import walk_frames, walk_tag
from worker.tags.left_out import describe_frames
from worker.tags.riff import timestamp
from worker.tags.text import MAX_TEXT_BYTES

MAX_FRAMES = 1_000
MAX_CHAPTER_SUB_FRAMES = 20
MAX_VALUE_CHARS = 4_000
"""Fewer than the number of digits for which int() raises ValueError."""

_LANGUAGE = re.compile(r"[A-Za-z]{3}")
_NO_DIGITS = re.compile(r"[^0-9]+")
_V22_MIME = {"PNG": "image/png", "JPG": "image/jpeg"}
# The same layout in every version, so copied as they are. MLLT, ASPI and SEEK describe the old file and are left out.
_OPAQUE = {"ETCO", "GEOB", "MCDI", "OWNE", "PCNT", "POPM", "PRIV", "SYLT", "UFID", "USER"}


def add_frames(tag: ID3, raw: bytes, texts: FileText) -> list[str]:
    """Add the frames of the ID3v2 tag in `raw`, as ID3v2.4. Return sentences for the user about losses."""
    unreadable: list[str] = []
    major, frames = walk_tag(raw, unreadable)
    reading = Reading(major, texts, unreadable)
    for name, data in islice(frames, MAX_FRAMES):
        if name in _OPAQUE:
            tag.unknown_frames.append(_opaque(name, data))
        elif frame := _id3_frame(name, data, reading):
            _add(tag, frame, reading)
        else:
            unreadable.append(name)
    excess = [name for name, _ in frames]
    tag.update_to_v24()
    return [
        *describe_frames(
            unreadable, "left out, because they cannot be read or describe another file"
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
    ]


def _add(tag: ID3, frame: Any, reading: Reading) -> None:
    if isinstance(frame, TextFrame) and not str(frame):
        return  # an empty text must not hide a value from another chunk
    if frame.FrameID == "APIC" and frame.HashKey in tag:
        # ID3 tells pictures apart by their descriptions, but many have none.
        frame.desc += f" {len(tag)}"
    if frame.HashKey not in tag:
        tag.add(frame)
    elif tag[frame.HashKey] != frame:
        reading.repeated.append(frame.FrameID)


def _opaque(name: str, data: bytes) -> bytes:
    size = bytes(len(data) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return name.encode() + size + b"\0\0" + data


def _id3_frame(name: str, data: bytes, reading: Reading) -> Frame | None:
    return _READERS.get(name, _text_or_url)(name, data, reading)


def _text_or_url(name: str, data: bytes, reading: Reading) -> Frame | None:
    frame_class = Frames.get(name, Frame)
    if issubclass(frame_class, UrlFrame):
        return frame_class(url=decode_latin1(data))
    if issubclass(frame_class, PairedTextFrame):
        names = values(name, *split_charset(data), reading)
        people = zip_longest(names[::2], names[1::2], fillvalue="")
        return frame_class(encoding=Charset.UTF8, people=list(people))
    if issubclass(frame_class, TextFrame):
        texts = values(name, *split_charset(data), reading)
        if any(len(text) > MAX_VALUE_CHARS for text in texts):
            reading.cut.append(name)
        texts = [text[:MAX_VALUE_CHARS] for text in texts]
        if issubclass(frame_class, TimeStampTextFrame):
            texts = [_date(name, text, reading) for text in texts]
        return frame_class(encoding=Charset.UTF8, text=texts)
    return None


def _date(name: str, text: str, reading: Reading) -> str:
    """Return the date in a text: mutagen drops some texts, and reads others as the year 28."""
    if str(ID3TimeStamp(text)) == text.replace("T", " "):
        return text
    date = timestamp(text)
    if not date or _NO_DIGITS.sub("", date) != _NO_DIGITS.sub("", text):
        reading.dates.append(name)
    return date


def _comment(name: str, data: bytes, reading: Reading) -> Frame:
    charset, rest = split_charset(data)
    language = rest[:3].decode("latin-1")  # many writers leave it zero, and players look for "eng"
    description, text = split_at_terminator(rest[3:], charset)
    return Frames[name](
        encoding=Charset.UTF8,
        lang=language if _LANGUAGE.fullmatch(language) else "eng",
        desc=decode_text(description, charset, reading),
        text="\n".join(values(name, charset, text, reading)),
    )


def _described_text_or_url(name: str, data: bytes, reading: Reading) -> Frame:
    charset, rest = split_charset(data)
    description, value = split_at_terminator(rest, charset)
    desc = decode_text(description, charset, reading)
    if name == "WXXX":
        return WXXX(encoding=Charset.UTF8, desc=desc, url=decode_latin1(value))
    return TXXX(encoding=Charset.UTF8, desc=desc, text=values(name, charset, value, reading))


def _picture(_name: str, data: bytes, reading: Reading) -> Frame | None:
    head = data[:MAX_TEXT_BYTES]  # so that the picture is copied only once
    charset, rest = split_charset(head)
    mime, rest = (
        (rest[:3], rest[3:]) if reading.major == 2 else split_at_terminator(rest, Charset.LATIN1)
    )
    description, start = split_at_terminator(rest[1:], charset)
    if not start:
        return None
    name = decode_latin1(mime)
    return APIC(
        encoding=Charset.UTF8,
        mime=_V22_MIME.get(name.upper(), name),
        type=rest[0],
        desc=decode_text(description, charset, reading),
        data=data[len(head) - len(start) :],
    )


def _chapter(_name: str, data: bytes, reading: Reading) -> Frame | None:
    """Read a CHAP frame, except for its byte offsets, which refer to another file."""
    element_id, rest = split_at_terminator(data, Charset.LATIN1)
    if len(rest) < 16:
        return None
    start_ms, end_ms = struct.unpack_from(">2I", rest)
    return CHAP(
        element_id=decode_latin1(element_id),
        start_time=start_ms,
        end_time=end_ms,
        sub_frames=_sub_frames(rest, 16, reading),
    )


def _table_of_contents(_name: str, data: bytes, reading: Reading) -> Frame | None:
    element_id, rest = split_at_terminator(data, Charset.LATIN1)
    if len(rest) < 2:
        return None
    *children, end = rest[2:].split(b"\0", rest[1])
    return CTOC(
        element_id=decode_latin1(element_id),
        flags=rest[0],
        child_element_ids=[decode_latin1(child) for child in children],
        sub_frames=_sub_frames(end, 0, reading),
    )


def _sub_frames(data: bytes, at: int, reading: Reading) -> list[Frame]:
    """Read the frames inside a chapter or a table of contents."""
    found = walk_frames(data, reading.major, at, reading.unreadable, unsynchronised=False)
    frames = [
        frame
        for name, sub in islice(found, MAX_CHAPTER_SUB_FRAMES)
        if name not in ("CHAP", "CTOC") and (frame := _id3_frame(name, sub, reading))
    ]
    reading.cut += ["CHAP"] * (next(found, None) is not None)
    return frames


_READERS: dict[str, Callable[[str, bytes, Reading], Frame | None]] = {
    "APIC": _picture,
    "CHAP": _chapter,
    "COMM": _comment,
    "CTOC": _table_of_contents,
    "TXXX": _described_text_or_url,
    "USLT": _comment,
    "WXXX": _described_text_or_url,
}
