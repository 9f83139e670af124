"""The names of records and of their MP3s. `api/http/disposition.py` decodes the names that clients send."""

import re
from pathlib import PurePath
from urllib.parse import quote

from shared.errors import BadUpload

MAX_FILENAME_CHARS = 500
"""PostgreSQL's index on (user_id, filename) holds at most 2.7 kB, and a character may take four bytes."""
MAX_NAME_BYTES = 255
"""The limit of common file systems."""
WAV_SUFFIXES = (".wav", ".wave", ".bwf", ".rf64", ".bw64", ".w64")
# C0, C1, line and paragraph separators, bidirectional controls, and lone surrogates, which some charsets can encode.
# Joiners are allowed: emoji, Persian and Hindi need them.
_CONTROLS = re.compile("[\\0-\\x1f\\x7f-\\x9f\\u2028-\\u202e\\u2066-\\u2069\\ud800-\\udfff\\ufeff]")
_WINDOWS_PATH = re.compile(r"(?:[A-Za-z]:|\.{0,2})\\")


def clean_filename(sent: str) -> str:
    """Return the last component of a path, without control characters. It is a label, never a path on disk."""
    # Except on Windows, a backslash is a character of the name.
    path = sent.replace("\\", "/") if _WINDOWS_PATH.match(sent) else sent
    base = path.rpartition("/")[2]
    name = _CONTROLS.sub(" ", base).strip()
    if name in ("", ".", ".."):
        raise BadUpload("The file has no name. Send a filename: curl -F 'wav_file=@song.wav'.")
    if len(name) > MAX_FILENAME_CHARS:
        raise BadUpload(
            f"The filename is longer than {MAX_FILENAME_CHARS} characters. Rename the file."
        )
    return name


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
