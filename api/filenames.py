"""The names of records and of their MP3s. `api/http/disposition.py` reads and cleans the names that clients send."""

import re
from pathlib import PurePath
from urllib.parse import quote

from api.http import MAX_FILENAME_CHARS

MAX_NAME_BYTES = 255
"""The limit of common file systems."""
WAV_SUFFIXES = (".wav", ".wave", ".bwf", ".rf64", ".bw64", ".w64")


def split_suffix(wav_filename: str) -> tuple[str, str]:
    """Split a filename into its stem and its suffix. Only a suffix of WAVs is split off."""
    path = PurePath(wav_filename)
    if path.suffix.lower() in WAV_SUFFIXES:
        return path.stem, path.suffix
    return wav_filename, ""


def number_filename(wav_filename: str, number: int) -> str:
    """Return "song (2).wav" for "song.wav"."""
    stem, suffix = split_suffix(wav_filename)
    end = f" ({number}){suffix}"
    return stem[: MAX_FILENAME_CHARS - len(end)] + end


def mp3_filename(wav_filename: str, end: str = ".mp3") -> str:
    stem, _ = split_suffix(wav_filename)
    return stem.encode()[: MAX_NAME_BYTES - len(end)].decode(errors="ignore") + end


def content_disposition(wav_filename: str) -> str:
    """Return the header for a download of the MP3, as UTF-8 bytes in a Latin-1 string, because servers write Latin-1.

    Both forms of the name are sent (RFC 6266, appendix D). curl reads the first one only, and saves raw UTF-8 there
    correctly. Browsers and wget prefer the second.
    """
    name = mp3_filename(wav_filename)
    # Clients disagree about these characters in a quoted string.
    plain = re.sub(r'["\\%]', "_", name).encode().decode("latin-1")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
