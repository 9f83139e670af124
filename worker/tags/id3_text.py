"""Decodes the text inside ID3 frames, and records the frames whose text is cut.

In: the data of a frame. Out: clean text. Raises nothing. Source: ID3v2.4.0 structure, section 4.
"""

import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from dataclasses import dataclass, field

from mutagen.id3 import Encoding as Charset

from worker.tags.charset import FileText
from worker.tags.text import MAX_TEXT_BYTES

MAX_TEXT_VALUES = 100
_UTF16 = (Charset.UTF16, Charset.UTF16BE)
_CONTROLS = re.compile("[\x00-\x1f\x7f]")


@dataclass(slots=True)
class Reading:
    """The tag that is being read, and the names of the frames that lose something."""

    major: int
    texts: FileText
    unreadable: list[str]
    repeated: list[str] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)
    dates: list[str] = field(default_factory=list)
    genres: list[str] = field(default_factory=list)
    """Texts with the number of a genre that does not exist."""


def split_charset(data: bytes) -> tuple[int, bytes]:
    """Return the charset named by the first byte, and the rest. Text with a UTF-16 mark is always UTF-16."""
    charset, rest = (data[0], data[1:]) if data[0] <= Charset.UTF8 else (Charset.LATIN1, data)
    return (Charset.UTF16 if rest.startswith((BOM_UTF16_BE, BOM_UTF16_LE)) else charset), rest


def split_at_terminator(data: bytes, charset: int) -> tuple[bytes, bytes]:
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


def values(name: str, charset: int, data: bytes, reading: Reading) -> list[str]:
    """Return the values of a text. Empty values stay, because lists of people consist of pairs."""
    found = _decode(name, data, charset, reading).split("\0", MAX_TEXT_VALUES)
    if any(found[MAX_TEXT_VALUES:]):
        reading.cut.append(name)
    return [*map(reading.texts.clean, found[:MAX_TEXT_VALUES])]


def decode_text(name: str, data: bytes, charset: int, reading: Reading) -> str:
    return reading.texts.clean(_decode(name, data, charset, reading))


def _decode(name: str, data: bytes, charset: int, reading: Reading) -> str:
    if len(data) > MAX_TEXT_BYTES:
        reading.cut.append(name)
        data = data[:MAX_TEXT_BYTES]
    if charset == Charset.UTF16BE and not data.startswith(BOM_UTF16_LE):
        data = BOM_UTF16_BE + data
    if charset in _UTF16:
        return reading.texts.decode_utf16(data)
    decode = reading.texts.decode_latin1 if charset == Charset.LATIN1 else reading.texts.decode_utf8
    return decode(data)


def decode_latin1(name: str, data: bytes, reading: Reading) -> str:
    """Decode an id, a MIME type or a URL: Latin-1 in every version of ID3. Bytes of UTF-8 stay as they are."""
    if len(data) > MAX_TEXT_BYTES:
        reading.cut.append(name)
    text = reading.texts.until_nul(data[:MAX_TEXT_BYTES].decode("latin-1"))
    return _CONTROLS.sub("", text).strip(" ")
