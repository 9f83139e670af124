"""Reads the Content-Disposition of a form part as all common clients write it.

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

_PARAMETER = re.compile(r';\s*([^\s=;"]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)')
_EXTENDED = re.compile(r"([\w.:-]+)'[^']*'(.*)", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)")
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
