"""The Content-Disposition of a form part, with the names of all common clients.

Clients send a name that is not ASCII in many ways: as UTF-8 (browsers, curl), as Latin-1, as `filename*` (RFC 8187:
.NET, old urllib3), in sections (RFC 2231, 3: mail libraries), as encoded words (RFC 2047: .NET, PowerShell), or
percent-encoded (RFC 7578, 2: aiohttp).
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from email.errors import HeaderParseError
from email.header import decode_header
from urllib.parse import quote, unquote_to_bytes

from python_multipart.multipart import parse_options_header

from shared.errors import BadUpload

MAX_FILENAME_CHARS = 500
"""PostgreSQL's index on (user_id, filename) holds at most 2.7 kB, and a character may take four bytes."""
# C0, C1, line and paragraph separators, bidirectional controls, and lone surrogates, which some charsets can encode.
# Joiners are allowed: emoji, Persian and Hindi need them.
_CONTROLS = re.compile("[\\0-\\x1f\\x7f-\\x9f\\u2028-\\u202e\\u2066-\\u2069\\ud800-\\udfff\\ufeff]")
_PARAMETER = re.compile(r';\s*([^\s=;"]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)')
_EXTENDED = re.compile(r"([\w.:-]+)'[^']*'(.*)", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)")
_WINDOWS_PATH = re.compile(r"(?:[A-Za-z]:|\.{0,2})\\")
_WORD = r"=\?[\w*-]+\?[bq]\?[^?]*\?="
_WORDS = re.compile(rf"{_WORD}(?:\s*{_WORD})*", re.IGNORECASE)


def parse_disposition(
    value: bytes, *, may_escape: bool, may_escape_ascii: bool = True
) -> tuple[str, str | None]:
    """Return the name of a form part and its filename, or None for a plain field.

    `may_escape` is False for a client that is known not to percent-encode names. `may_escape_ascii` is False for a
    client that does not percent-encode a name of ASCII characters.
    """
    text = value.decode("latin-1")
    _, parameters = parse_options_header(text)
    name, filename = parameters.get(b"name", b""), parameters.get(b"filename")
    decoded = _decode_extended(text)
    if decoded is None and filename is not None:
        decoded = _decode_filename(
            filename, may_escape=may_escape, may_escape_ascii=may_escape_ascii
        )
    return _decode(name), decoded


def _decode_extended(disposition: str) -> str | None:
    """Return `filename*` or its sections, which name their charset, or None if they are missing or malformed."""
    found = {name.lower(): value.strip() for name, value in _PARAMETER.findall(disposition)}
    extended = _EXTENDED.fullmatch(_unquote(found.get("filename*", "")))
    if extended is None:
        return _join_sections(found)
    charset, escaped = extended.groups()
    with suppress(LookupError, UnicodeDecodeError):
        return unquote_to_bytes(escaped.strip().encode("latin-1")).decode(charset)
    return None


def _join_sections(found: Mapping[str, str]) -> str | None:
    """Join `filename*0*`, `filename*1` and so on. A second star means percent-encoding."""
    charset, joined, index = "utf-8", b"", 0
    while (plain := f"filename*{index}") in found or f"{plain}*" in found:
        if plain in found:
            joined += _unquote(found[plain]).encode("latin-1")
        else:
            escaped = _unquote(found[f"{plain}*"])
            if index == 0 and (extended := _EXTENDED.fullmatch(escaped)):
                charset, escaped = extended.groups()
            joined += unquote_to_bytes(escaped.encode("latin-1"))
        index += 1
    with suppress(LookupError, UnicodeDecodeError):
        return joined.decode(charset) if index else None
    return None


def _unquote(value: str) -> str:
    return _ESCAPED.sub(r"\1", value[1:-1]) if value.startswith('"') else value


def _decode_filename(value: bytes, *, may_escape: bool, may_escape_ascii: bool) -> str:
    text = value.decode("latin-1")
    if _WORDS.search(text):
        return _WORDS.sub(_decode_words, text)
    if may_escape and "%" in text:
        decoded = unquote_to_bytes(value)
        # A client that percent-encodes names encodes all such characters. Else a percent sign is part of the name.
        if quote(decoded, safe="") == text and (may_escape_ascii or not decoded.isascii()):
            with suppress(UnicodeDecodeError):
                return decoded.decode()
    return _decode(value)


def _decode_words(words: re.Match[str]) -> str:
    with suppress(LookupError, ValueError, HeaderParseError):
        decoded = [
            part if isinstance(part, str) else part.decode(charset or "ascii")
            for part, charset in decode_header(words[0])
        ]
        return "".join(decoded) or words[0]
    return words[0]


def _decode(value: bytes) -> str:
    """Decode a name. Browsers and curl send UTF-8, old clients Latin-1."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = value.decode("latin-1")
    # Browsers escape exactly these three (WHATWG HTML, multipart/form-data encoding algorithm).
    return text.replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")


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
