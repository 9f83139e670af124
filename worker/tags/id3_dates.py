"""Reads the dates in ID3 frames, and joins the date frames of ID3v2.3 to one date.

In: frames and texts, valid or not. Out: dates that mutagen reads as they are. The names of frames that lose something
go to `Reading.dates`. Raises nothing. Sources: ID3v2.3.0 frames, 4.2.1 (TDAT, TIME, TYER); ID3v2.4.0 structure, 4.
"""

import re
from itertools import zip_longest

from mutagen.id3 import TDRC, ID3Tags, ID3TimeStamp
from mutagen.id3 import Encoding as Charset

from worker.tags.id3_text import Reading
from worker.tags.riff import timestamp

_OLD_FRAMES = ("TYER", "TDAT", "TIME")
_NO_DIGITS = re.compile(r"[^0-9]+")


def read_date(name: str, text: str, reading: Reading) -> str:
    """Return the date in a text: mutagen drops some texts, and reads others as the year 28."""
    if str(ID3TimeStamp(text)) == text.replace("T", " "):
        return text
    date = timestamp(text)
    if not date or _NO_DIGITS.sub("", date) != _NO_DIGITS.sub("", text):
        reading.dates.append(name)
    return date


def join_old_dates(tag: ID3Tags, reading: Reading) -> None:
    """Replace the year, the day and the time of ID3v2.3 by the date of 2.4."""
    found = {name: tag.pop(name).text for name in _OLD_FRAMES if name in tag}
    if not found:
        return
    name = ", ".join(found)
    texts = [
        _join(*each)
        for each in zip_longest(*(found.get(name, []) for name in _OLD_FRAMES), fillvalue="")
    ]
    dates = [date for date in map(timestamp, texts) if date]
    if dates != texts:
        reading.dates.append(name)
    if "TDRC" not in tag and dates:
        tag.add(TDRC(encoding=Charset.UTF8, text=dates))
    elif dates and tag["TDRC"].text != [*map(ID3TimeStamp, dates)]:
        reading.repeated.append(name)


def _join(year: str, day: str, time: str) -> str:
    """Join a year, a day as DDMM and a time as HHMM."""
    date = f"{year}-{day[2:]}-{day[:2]}" if day else year
    return f"{date}T{time[:2]}:{time[2:]}" if time else date
