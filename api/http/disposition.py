"""The Content-Disposition of a form part, with the names of all common clients.

Clients send a name that is not ASCII in many ways: as UTF-8 (browsers, curl), as Latin-1, as `filename*` (RFC 8187:
.NET, old urllib3), as encoded words (RFC 2047: .NET, PowerShell), or percent-encoded (RFC 7578, 2: aiohttp).
"""

import re
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
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_EXTENDED = re.compile(r";\s*filename\*\s*=\s*([\w.:-]+)'[^']*'([^;]*)", re.IGNORECASE)
_WORD = r"=\?[\w*-]+\?[bq]\?[^?]*\?="
_WORDS = re.compile(rf"{_WORD}(?:\s*{_WORD})*", re.IGNORECASE)


def parse_disposition(value: bytes, *, may_escape: bool) -> tuple[str, str | None]:
    """Return the name of a form part and its filename, or None for a plain field.

    `may_escape` is False for a client that is known not to percent-encode names.
    """
    text = value.decode("latin-1")
    _, parameters = parse_options_header(text)
    name, filename = parameters.get(b"name", b""), parameters.get(b"filename")
    decoded = _decode_extended(text)
    if decoded is None and filename is not None:
        decoded = _decode_filename(filename, may_escape=may_escape)
    return _decode(name), decoded


def _decode_extended(disposition: str) -> str | None:
    """Return `filename*`, which names its charset, or None if it is missing or malformed."""
    found = _EXTENDED.search(_QUOTED.sub('""', disposition))
    if found is None:
        return None
    charset, escaped = found.groups()
    with suppress(LookupError, UnicodeDecodeError):
        return unquote_to_bytes(escaped.strip().encode("latin-1")).decode(charset)
    return None


def _decode_filename(value: bytes, *, may_escape: bool) -> str:
    text = value.decode("latin-1")
    if _WORDS.search(text):
        return _WORDS.sub(_decode_words, text)
    if may_escape and "%" in text:
        decoded = unquote_to_bytes(value)
        # A client that percent-encodes names leaves nothing unencoded. In another name the percent signs are its own.
        if quote(decoded, safe="") == text:
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
    base = sent.replace("\\", "/").rpartition("/")[2]
    name = _CONTROLS.sub(" ", base).strip()
    if name in ("", ".", ".."):
        raise BadUpload("The file has no name. Send one: curl -F 'wav_file=@song.wav'.")
    if len(name) > MAX_FILENAME_CHARS:
        raise BadUpload(
            f"The filename is longer than {MAX_FILENAME_CHARS} characters. Rename the file."
        )
    return name
