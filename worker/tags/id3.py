"""Reads the ID3v2 tag inside a WAV's `id3 ` chunk as mutagen frames and repairs its text.

In: the bytes of a chunk, valid or not. Out: frames added to a tag, all text as UTF-8; frames that the tag already has
stay. Pictures keep their bytes, MIME type and kind. Raises nothing; unreadable frames are left out.
Sources: ID3v2.2, 2.3.0 and 2.4.0 frames (section 4 of each), and the ID3v2 Chapter Frame Addendum.
"""

import re
import struct
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable
from itertools import islice
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
    PairedTextFrame,
    TextFrame,
    UrlFrame,
)
from mutagen.id3 import Encoding as Charset

from worker.tags.id3_walk import walk_frames, walk_tag
from worker.tags.left_out import describe_frames
from worker.tags.text import MAX_TEXT_BYTES, clean, decode, decode_utf16

MAX_FRAMES = 1_000
MAX_CHAPTER_SUB_FRAMES = 20
MAX_TEXT_VALUES = 100
MAX_VALUE_CHARS = 4_000
"""Fewer than the number of digits for which int() raises ValueError."""

_UTF16 = (Charset.UTF16, Charset.UTF16BE)
_LANGUAGE = re.compile(r"[A-Za-z]{3}")
_RENAMED_IN_V23 = {"TDRC", "TDOR", "TIPL", "TMCL"}
_V22_MIME = {"PNG": "image/png", "JPG": "image/jpeg"}
# The same layout in every version, so copied as they are. MLLT, ASPI and SEEK describe the old file and are left out.
_OPAQUE = {"ETCO", "GEOB", "MCDI", "OWNE", "PCNT", "POPM", "PRIV", "SYLT", "UFID", "USER"}


def add_frames(tag: ID3, raw: bytes) -> list[str]:
    """Add the frames of the ID3v2 tag in `raw`, as ID3v2.4. Return sentences for the user about the others."""
    unreadable: list[str] = []
    major, frames = walk_tag(raw, unreadable)
    for name, data in islice(frames, MAX_FRAMES):
        if name in _OPAQUE:
            tag.unknown_frames.append(_opaque(name, data))
        elif frame := _id3_frame(name, data, major):
            _add(tag, frame)
        else:
            unreadable.append(name)
    excess = [name for name, _ in frames]
    tag.update_to_v24()
    return [
        *describe_frames(unreadable, "they cannot be read or describe another file"),
        *describe_frames(excess, f"a tag may have {MAX_FRAMES}"),
    ]


def convert_to_v23(tag: ID3) -> list[str]:
    """Convert a tag to ID3v2.3. Return sentences for the user about frames that only 2.4 has."""
    before = {key.partition(":")[0] for key in tag}
    tag.update_to_v23()
    after = {key.partition(":")[0] for key in tag}
    tag.unknown_frames = [
        frame[:4] + (len(frame) - 10).to_bytes(4) + frame[8:] for frame in tag.unknown_frames
    ]
    tag._unknown_v2_version = 3  # noqa: SLF001 -- mutagen drops them otherwise
    return describe_frames(sorted(before - after - _RENAMED_IN_V23), "only ID3v2.4 has them")


def _add(tag: ID3, frame: Any) -> None:
    if isinstance(frame, TextFrame) and not str(frame):
        return  # an empty text must not hide a value from another chunk
    if frame.FrameID == "APIC" and frame.HashKey in tag:
        # ID3 tells pictures apart by their descriptions, but many have none.
        frame.desc += f" {len(tag)}"
    if frame.HashKey not in tag:
        tag.add(frame)


def _opaque(name: str, data: bytes) -> bytes:
    size = bytes(len(data) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return name.encode() + size + b"\0\0" + data


def _id3_frame(name: str, data: bytes, major: int) -> Frame | None:
    return _READERS.get(name, _text_or_url)(name, data, major)


def _text_or_url(name: str, data: bytes, _major: int) -> Frame | None:
    frame_class = Frames.get(name, Frame)
    if issubclass(frame_class, UrlFrame):
        return frame_class(url=_decode_latin1(data))
    if issubclass(frame_class, PairedTextFrame):
        values = _values(*_split_charset(data))
        return frame_class(
            encoding=Charset.UTF8, people=list(zip(values[::2], values[1::2], strict=False))
        )
    if issubclass(frame_class, TextFrame):
        values = [value[:MAX_VALUE_CHARS] for value in _values(*_split_charset(data))]
        return frame_class(encoding=Charset.UTF8, text=values)
    return None


def _comment(name: str, data: bytes, _major: int) -> Frame:
    charset, rest = _split_charset(data)
    language = rest[:3].decode("latin-1")  # many writers leave it zero, and players look for "eng"
    description, text = _split_at_terminator(rest[3:], charset)
    return Frames[name](
        encoding=Charset.UTF8,
        lang=language if _LANGUAGE.fullmatch(language) else "eng",
        desc=_text(description, charset),
        text="\n".join(_values(charset, text)),
    )


def _described_text_or_url(name: str, data: bytes, _major: int) -> Frame:
    charset, rest = _split_charset(data)
    description, value = _split_at_terminator(rest, charset)
    desc = _text(description, charset)
    if name == "WXXX":
        return WXXX(encoding=Charset.UTF8, desc=desc, url=_decode_latin1(value))
    return TXXX(encoding=Charset.UTF8, desc=desc, text=_values(charset, value))


def _picture(_name: str, data: bytes, major: int) -> Frame | None:
    head = data[:MAX_TEXT_BYTES]  # so that the picture is copied only once
    charset, rest = _split_charset(head)
    mime, rest = (rest[:3], rest[3:]) if major == 2 else _split_at_terminator(rest, Charset.LATIN1)
    description, start = _split_at_terminator(rest[1:], charset)
    if not start:
        return None
    name = _decode_latin1(mime)
    return APIC(
        encoding=Charset.UTF8,
        mime=_V22_MIME.get(name.upper(), name),
        type=rest[0],
        desc=_text(description, charset),
        data=data[len(head) - len(start) :],
    )


def _chapter(_name: str, data: bytes, major: int) -> Frame | None:
    """Read a CHAP frame, except for its byte offsets, which refer to another file."""
    element_id, rest = _split_at_terminator(data, Charset.LATIN1)
    if len(rest) < 16:
        return None
    start_ms, end_ms = struct.unpack_from(">2I", rest)
    sub_frames = islice(
        walk_frames(rest, major, 16, [], unsynchronised=False), MAX_CHAPTER_SUB_FRAMES
    )
    return CHAP(
        element_id=_decode_latin1(element_id),
        start_time=start_ms,
        end_time=end_ms,
        sub_frames=[
            frame
            for name, sub in sub_frames
            if name not in ("CHAP", "CTOC") and (frame := _id3_frame(name, sub, major))
        ],
    )


def _table_of_contents(_name: str, data: bytes, _major: int) -> Frame | None:
    element_id, rest = _split_at_terminator(data, Charset.LATIN1)
    if len(rest) < 2:
        return None
    children = rest[2:].split(b"\0", rest[1])[: rest[1]]
    return CTOC(
        element_id=_decode_latin1(element_id),
        flags=rest[0],
        child_element_ids=[_decode_latin1(child) for child in children],
        sub_frames=[],
    )


_READERS: dict[str, Callable[[str, bytes, int], Frame | None]] = {
    "APIC": _picture,
    "CHAP": _chapter,
    "COMM": _comment,
    "CTOC": _table_of_contents,
    "TXXX": _described_text_or_url,
    "USLT": _comment,
    "WXXX": _described_text_or_url,
}


def _split_charset(data: bytes) -> tuple[int, bytes]:
    """Return the charset named by the first byte, and the rest. Text with a UTF-16 mark is always UTF-16."""
    charset, rest = (data[0], data[1:]) if data[0] <= Charset.UTF8 else (Charset.LATIN1, data)
    return (Charset.UTF16 if rest.startswith((BOM_UTF16_BE, BOM_UTF16_LE)) else charset), rest


def _split_at_terminator(data: bytes, charset: int) -> tuple[bytes, bytes]:
    """Return the text before its terminator and the bytes after it."""
    if charset not in _UTF16:
        text, _, rest = data.partition(b"\0")
        return text, rest
    end = _utf16_end(data[:MAX_TEXT_BYTES])
    return data[:end], data[end + 2 :]


def _utf16_end(data: bytes) -> int:
    """Return the position of the terminator, a zero unit, or else the end of the last whole unit."""
    end = data.find(b"\0\0")
    while end % 2 and end >= 0:
        end = data.find(b"\0\0", end + 1)
    return end if end >= 0 else len(data) // 2 * 2


def _values(charset: int, data: bytes) -> list[str]:
    values = _decode(data, charset).split("\0", MAX_TEXT_VALUES)[:MAX_TEXT_VALUES]
    return [value for value in map(clean, values) if value]


def _text(data: bytes, charset: int) -> str:
    return clean(_decode(data, charset))


def _decode(data: bytes, charset: int) -> str:
    if charset == Charset.UTF16BE and not data.startswith(BOM_UTF16_LE):
        data = BOM_UTF16_BE + data
    return decode_utf16(data) if charset in _UTF16 else decode(data)


def _decode_latin1(data: bytes) -> str:
    """Decode an id, a MIME type or a URL: Latin-1 in every version of ID3."""
    return clean(data[:MAX_TEXT_BYTES].decode("latin-1").partition("\0")[0])
