"""Removes the numbers of genres that do not exist, such as 255, which some programs write for "none".

In: the text of a TCON frame: a genre, its number in ID3v1, or numbers in brackets before a genre. Out: the text without
such numbers, which players show as "Unknown" or reject. Raises nothing. Source: ID3v2.3.0 frames, 4.2.1.
"""

import re

from mutagen.id3 import ID3, TCON

_NUMBERED = re.compile(r"((?:\((?:[0-9]+|RX|CR)\))+)(.*)", re.DOTALL)
_IN_BRACKETS = re.compile(r"\(([^)]*)\)")


def known_genre(text: str) -> str:
    """Return the text without numbers of genres that do not exist."""
    if text.isascii() and text.isdigit():
        return text if _exists(text) else ""
    match = _NUMBERED.fullmatch(text)
    if not match:
        return text
    numbers = _IN_BRACKETS.findall(match[1])
    return "".join(f"({number})" for number in numbers if _exists(number)) + match[2]


def _exists(number: str) -> bool:
    if not number.isdigit():
        return True  # RX and CR: remix and cover
    digits = number.lstrip("0")
    return len(digits) <= 3 and int(digits or 0) < len(TCON.GENRES)


def drop_unknown_genres(tag: ID3) -> list[str]:
    """Remove the numbers from a tag: eyeD3 rejects an MP3 that has one. Return sentences for the user."""
    dropped: list[str] = []
    for frame in tag.getall("TCON"):
        dropped += [text for text in frame.text if known_genre(text) != text]
        frame.text = [text for text in map(known_genre, frame.text) if text]
        if not frame.text:
            tag.delall("TCON")
    return describe_genres(dropped)


def describe_genres(texts: list[str]) -> list[str]:
    return [f"The genre number in {text!r} does not exist and was left out." for text in texts]
