"""The ID3v2 tag inside a WAV's `id3 ` chunk -> mutagen frames, text repaired.

In: a chunk's bytes, whatever they are. Out: frames added to a tag, all text as UTF-8; a frame already in the tag
stays. Pictures keep their bytes, MIME type and kind. Errors: none; what cannot be read is left out.
Source: ID3v2.2, 2.3.0 and 2.4.0 frames (section 4 of each), and the ID3v2 Chapter Frame Addendum.
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
    Encoding,
    Frame,
    Frames,
    PairedTextFrame,
    TextFrame,
    UrlFrame,
)

from worker.tags.id3_walk import walk_frames, walk_tag
from worker.tags.text import MAX_TEXT_BYTES, clean, decode, utf16

MAX_FRAMES = 1_000
MAX_SUB_FRAMES = 20  # of a chapter
MAX_VALUES = 100  # of one text frame
MAX_VALUE_CHARS = 4_000  # stays below the number of digits that int() refuses with ValueError

_LANGUAGE = re.compile(r"[A-Za-z]{3}")
_V22_MIME = {"PNG": "image/png", "JPG": "image/jpeg"}
# Laid out alike in every version and opaque to us. Frames that describe the old file's bytes (MLLT, ASPI, SEEK) go.
_OPAQUE = {"ETCO", "GEOB", "MCDI", "OWNE", "PCNT", "POPM", "PRIV", "SYLT", "UFID", "USER"}


def add_frames(tag: ID3, raw: bytes) -> None:
    """Add what the ID3v2 tag in raw holds, as ID3v2.4."""
    major, frames = walk_tag(raw)
    for name, data in islice(frames, MAX_FRAMES):
        if name in _OPAQUE:
            tag.unknown_frames.append(_opaque(name, data))
        elif frame := _frame(name, data, major):
            _add(tag, frame)
    tag.update_to_v24()


def _add(tag: ID3, frame: Any) -> None:
    if isinstance(frame, TextFrame) and not str(frame):
        return  # an empty or unreadable text shall not stand in the way of another chunk's
    if frame.FrameID == "APIC" and frame.HashKey in tag:
        # pictures without a description are common, but ID3 tells them apart by it
        frame.desc += f" {len(tag)}"
    if frame.HashKey not in tag:
        tag.add(frame)


def _opaque(name: str, data: bytes) -> bytes:
    size = bytes(len(data) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return name.encode() + size + b"\0\0" + data


def _frame(name: str, data: bytes, major: int) -> Frame | None:
    reader = _READERS.get(name, _text_or_url)
    return reader(name, data, major)


def _text_or_url(name: str, data: bytes, _major: int) -> Frame | None:
    kind = Frames.get(name, Frame)
    if issubclass(kind, UrlFrame):
        return kind(url=_latin1(data))
    if issubclass(kind, PairedTextFrame):
        values = _values(*_encoded(data))
        return kind(
            encoding=Encoding.UTF8, people=list(zip(values[::2], values[1::2], strict=False))
        )
    if issubclass(kind, TextFrame):
        values = [value[:MAX_VALUE_CHARS] for value in _values(*_encoded(data))]
        return kind(encoding=Encoding.UTF8, text=values)
    return None


def _comment(name: str, data: bytes, _major: int) -> Frame:
    encoding, rest = _encoded(data)
    language = rest[:3].decode("latin-1")  # many leave it zero; players look for "eng"
    description, text = _cut(rest[3:], encoding)
    return Frames[name](
        encoding=Encoding.UTF8,
        lang=language if _LANGUAGE.fullmatch(language) else "eng",
        desc=_text(description, encoding),
        text="\n".join(_values(encoding, text)),
    )


def _described(name: str, data: bytes, _major: int) -> Frame:
    encoding, rest = _encoded(data)
    description, value = _cut(rest, encoding)
    desc = _text(description, encoding)
    if name == "WXXX":
        return WXXX(encoding=Encoding.UTF8, desc=desc, url=_latin1(value))
    return TXXX(encoding=Encoding.UTF8, desc=desc, text=_values(encoding, value))


def _picture(_name: str, data: bytes, major: int) -> Frame | None:
    head = data[:MAX_TEXT_BYTES]  # so that the picture is copied only once
    encoding, rest = _encoded(head)
    mime, rest = (rest[:3], rest[3:]) if major == 2 else _cut(rest, Encoding.LATIN1)
    description, start = _cut(rest[1:], encoding)
    if not start:
        return None
    name = _latin1(mime)
    return APIC(
        encoding=Encoding.UTF8,
        mime=_V22_MIME.get(name.upper(), name),
        type=rest[0],
        desc=_text(description, encoding),
        data=data[len(head) - len(start) :],
    )


def _chapter(_name: str, data: bytes, major: int) -> Frame | None:
    """Its byte offsets are those of another file, so they are left unset."""
    element_id, rest = _cut(data, Encoding.LATIN1)
    if len(rest) < 16:
        return None
    start_ms, end_ms = struct.unpack_from(">2I", rest)
    sub_frames = islice(walk_frames(rest, major, 16, unsynchronised=False), MAX_SUB_FRAMES)
    return CHAP(
        element_id=_latin1(element_id),
        start_time=start_ms,
        end_time=end_ms,
        sub_frames=[
            frame
            for name, sub in sub_frames
            if name not in ("CHAP", "CTOC") and (frame := _frame(name, sub, major))
        ],
    )


def _contents(_name: str, data: bytes, _major: int) -> Frame | None:
    element_id, rest = _cut(data, Encoding.LATIN1)
    if len(rest) < 2:
        return None
    children = rest[2:].split(b"\0", rest[1])[: rest[1]]
    return CTOC(
        element_id=_latin1(element_id),
        flags=rest[0],
        child_element_ids=[_latin1(child) for child in children],
        sub_frames=[],
    )


_READERS: dict[str, Callable[[str, bytes, int], Frame | None]] = {
    "APIC": _picture,
    "CHAP": _chapter,
    "COMM": _comment,
    "CTOC": _contents,
    "TXXX": _described,
    "USLT": _comment,
    "WXXX": _described,
}


def _encoded(data: bytes) -> tuple[int, bytes]:
    """The encoding that the first byte names, and the rest. UTF-16 with its mark is UTF-16 whatever it says."""
    encoding, rest = (data[0], data[1:]) if data[0] <= Encoding.UTF8 else (Encoding.LATIN1, data)
    return (Encoding.UTF16 if rest.startswith((BOM_UTF16_BE, BOM_UTF16_LE)) else encoding), rest


def _cut(data: bytes, encoding: int) -> tuple[bytes, bytes]:
    """A text up to its terminator, and what follows."""
    if encoding not in (Encoding.UTF16, Encoding.UTF16BE):
        text, _, rest = data.partition(b"\0")
        return text, rest
    end = _utf16_end(data[:MAX_TEXT_BYTES])
    return data[:end], data[end + 2 :]


def _utf16_end(data: bytes) -> int:
    """Where the terminator stands, a zero unit; without one, the last whole unit ends there."""
    end = data.find(b"\0\0")
    while end % 2 and end >= 0:
        end = data.find(b"\0\0", end + 1)
    return end if end >= 0 else len(data) // 2 * 2


def _values(encoding: int, data: bytes) -> list[str]:
    values = _decoded(data, encoding).split("\0", MAX_VALUES)[:MAX_VALUES]
    return [value for value in map(clean, values) if value]


def _text(data: bytes, encoding: int) -> str:
    return clean(_decoded(data, encoding))


def _decoded(data: bytes, encoding: int) -> str:
    if encoding == Encoding.UTF16BE and not data.startswith(BOM_UTF16_LE):
        data = BOM_UTF16_BE + data
    return utf16(data) if encoding in (Encoding.UTF16, Encoding.UTF16BE) else decode(data)


def _latin1(data: bytes) -> str:
    """Ids, MIME types and URLs: ID3 writes them as Latin-1 in every version."""
    return clean(data[:MAX_TEXT_BYTES].decode("latin-1").partition("\0")[0])
