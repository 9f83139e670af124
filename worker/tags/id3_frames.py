"""Reads the frames of an ID3v2 tag that hold texts, links and pictures, as mutagen frames.

In: a frame's name and data, and the `Reading` of its tag. Out: the frame with all text as UTF-8, or None if it cannot
be read. Raises nothing. Sources: ID3v2.2, 2.3.0 and 2.4.0 frames (section 4 of each).
"""

import re
from itertools import zip_longest

from mutagen.id3 import (
    APIC,
    TXXX,
    WXXX,
    Frame,
    Frames,
    PairedTextFrame,
    TextFrame,
    TimeStampTextFrame,
    UrlFrame,
)
from mutagen.id3 import Encoding as Charset

from worker.tags.genres import known_genre
from worker.tags.id3_dates import read_date
from worker.tags.id3_text import (
    Reading,
    decode_latin1,
    decode_text,
    split_at_terminator,
    split_charset,
    values,
)
from worker.tags.text import MAX_TEXT_BYTES

MAX_VALUE_CHARS = 4_000
"""Fewer than the number of digits for which int() raises ValueError."""

_LANGUAGE = re.compile(r"[A-Za-z]{3}")
_V22_MIME = {"PNG": "image/png", "JPG": "image/jpeg"}


def text_or_url(name: str, data: bytes, reading: Reading) -> Frame | None:
    frame_class = Frames.get(name, Frame)
    if issubclass(frame_class, UrlFrame):
        return frame_class(url=decode_latin1(name, data, reading))
    if issubclass(frame_class, PairedTextFrame):
        names = values(name, *split_charset(data), reading)
        people = zip_longest(names[::2], names[1::2], fillvalue="")
        return frame_class(encoding=Charset.UTF8, people=[pair for pair in people if any(pair)])
    if issubclass(frame_class, TextFrame):
        texts = [text for text in values(name, *split_charset(data), reading) if text]
        return frame_class(encoding=Charset.UTF8, text=_checked(name, texts, reading))
    return None


def _checked(name: str, texts: list[str], reading: Reading) -> list[str]:
    """Return values that mutagen reads as they are: not too long, and with valid dates and genres."""
    if any(len(text) > MAX_VALUE_CHARS for text in texts):
        reading.cut.append(name)
    texts = [text[:MAX_VALUE_CHARS] for text in texts]
    if issubclass(Frames[name], TimeStampTextFrame):
        return [read_date(name, text, reading) for text in texts]
    if name == "TCON":
        reading.genres += [text for text in texts if known_genre(text) != text]
        return [known for text in texts if (known := known_genre(text))]
    return texts


def comment(name: str, data: bytes, reading: Reading) -> Frame:
    charset, rest = split_charset(data)
    language = rest[:3].decode("latin-1")  # many writers leave it zero, and players look for "eng"
    description, text = split_at_terminator(rest[3:], charset)
    return Frames[name](
        encoding=Charset.UTF8,
        lang=language if _LANGUAGE.fullmatch(language) else "eng",
        desc=decode_text(name, description, charset, reading),
        text="\n".join(filter(None, values(name, charset, text, reading))),
    )


def described_text_or_url(name: str, data: bytes, reading: Reading) -> Frame:
    charset, rest = split_charset(data)
    description, value = split_at_terminator(rest, charset)
    desc = decode_text(name, description, charset, reading)
    if name == "WXXX":
        return WXXX(encoding=Charset.UTF8, desc=desc, url=decode_latin1(name, value, reading))
    texts = [text for text in values(name, charset, value, reading) if text]
    return TXXX(encoding=Charset.UTF8, desc=desc, text=texts)


def picture(name: str, data: bytes, reading: Reading) -> Frame | None:
    head = data[:MAX_TEXT_BYTES]  # so that the picture is copied only once
    charset, rest = split_charset(head)
    mime, rest = (
        (rest[:3], rest[3:]) if reading.major == 2 else split_at_terminator(rest, Charset.LATIN1)
    )
    description, start = split_at_terminator(rest[1:], charset)
    if not start:
        return None
    mime_type = decode_latin1(name, mime, reading)
    return APIC(
        encoding=Charset.UTF8,
        mime=_V22_MIME.get(mime_type.upper(), mime_type),
        type=rest[0],
        desc=decode_text(name, description, charset, reading),
        data=data[len(head) - len(start) :],
    )
