"""Converts a tag to ID3v2.3, for old players.

In: a tag of ID3v2.4. Out: the same tag as ID3v2.3, and sentences for the user about everything that 2.3 cannot hold.
Raises nothing. Source: ID3v2.3.0 frames (4.2.1: TDAT, TIME, TORY and TYER).
"""

from typing import Any

from mutagen.id3 import ID3, TIME, ID3Tags, TextFrame, TimeStampTextFrame
from mutagen.id3 import Encoding as Charset

from worker.tags.left_out import describe_frames

_RENAMED = {"TDRC", "TDOR", "TIPL", "TMCL"}


def convert_to_v23(tag: ID3) -> list[str]:
    """Convert a tag to ID3v2.3. Return sentences for the user about losses."""
    before = _names(tag)
    joined = [frame.FrameID for frame in tag.values() if _is_joined(frame)]
    dates = {
        name: [str(each) for each in tag[name].text] for name in ("TDRC", "TDOR") if name in tag
    }
    tag.update_to_v23()
    _add_time(tag, dates.get("TDRC", []))
    after = _names(tag)
    tag.unknown_frames = [
        frame[:4] + (len(frame) - 10).to_bytes(4) + frame[8:] for frame in tag.unknown_frames
    ]
    tag._unknown_v2_version = 3  # noqa: SLF001 -- mutagen drops them otherwise
    return [
        *describe_frames(
            sorted(before - after - _RENAMED), "left out, because only ID3v2.4 has them"
        ),
        *describe_frames(joined, "reduced to one text, with a slash between the values"),
        *_describe_dates(tag, dates),
    ]


def _is_joined(frame: Any) -> bool:
    is_text = isinstance(frame, TextFrame) and not isinstance(frame, TimeStampTextFrame)
    return is_text and len(frame.text) > 1


def _names(tag: ID3Tags) -> set[str]:
    """Return the names of the frames, and of those in chapters."""
    inner = (_names(frame.sub_frames) for frame in tag.getall("CHAP") + tag.getall("CTOC"))
    return {frame.FrameID for frame in tag.values()}.union(*inner)


def _add_time(tag: ID3, dates: list[str]) -> None:
    """Add the time if mutagen did not, because mutagen reads an hour or minute of 0 as missing."""
    if dates and len(dates[0]) >= len("2026-11-28 00:00") and "TIME" not in tag:
        tag.add(TIME(encoding=Charset.UTF8, text=[dates[0][11:13] + dates[0][14:16]]))


def _describe_dates(tag: ID3, dates: dict[str, list[str]]) -> list[str]:
    kept = {"TDRC": _date(tag), "TDOR": str(tag.get("TORY", ""))}
    lost = [
        date
        for name, found in dates.items()
        for index, date in enumerate(found)
        if index or date.removesuffix(":00") != kept[name]
    ]
    return [
        f"ID3v2.3 holds one date, to the minute, and the year of the original. {date} was shortened or left out."
        for date in lost
    ]


def _date(tag: ID3) -> str:
    year, day, time = (str(tag.get(name, "")) for name in ("TYER", "TDAT", "TIME"))
    date = f"{year}-{day[2:]}-{day[:2]}" if day else year
    return f"{date} {time[:2]}:{time[2:]}" if time else date
