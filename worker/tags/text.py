"""Decodes the text of WAV metadata and makes it fit for a UTF-8 ID3 frame.

In: bytes of unknown encoding. RIFF declares none, except in CSET, which few programs write, and programs write their
locale's bytes where a standard requires ASCII or UTF-8.
Out: str without NULs, control characters other than tab and newline, lone surrogates or surrounding blanks.
Raises nothing. Time and memory are linear in at most MAX_TEXT_BYTES.
"""

import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE

MAX_TEXT_BYTES = 65_536
"""The limit of one text. The longest real texts are coding histories and lyrics."""

_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufeff]")

_UPPER_BYTES = frozenset(b"\x00\x01\x02\x03\x04\x05\x06\x0e\x1e")
"""The upper bytes of UTF-16 units in Latin, Greek, Cyrillic, Hebrew, Arabic and Thai. Single-byte text has none."""

# Windows code pages whose Python codecs are not named by their number.
_CODECS = {
    37: "cp037",
    10000: "mac_roman",
    10001: "shift_jis",
    10002: "big5",
    10003: "euc_kr",
    10006: "mac_greek",
    10007: "mac_cyrillic",
    10008: "gb2312",
    10029: "mac_latin2",
    10079: "mac_iceland",
    10081: "mac_turkish",
    20273: "cp273",
    20866: "koi8_r",
    20932: "euc_jp",
    20936: "gb2312",
    21866: "koi8_u",
    51932: "euc_jp",
    51936: "gb18030",
    51949: "euc_kr",
    54936: "gb18030",
    **{28590 + part: f"iso8859_{part}" for part in range(1, 17) if part != 12},
}


def clean(text: str) -> str:
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return _UNPRINTABLE.sub("", lines).strip()


def decode(raw: bytes, *charsets: str) -> str:
    """Decode UTF-8 if it is valid (other text almost never is), else the first charset that fits, else Windows-1252."""
    raw = raw[:MAX_TEXT_BYTES]
    for charset in ("utf-8", *charsets, "cp1252"):
        try:
            return raw.decode(charset)
        except UnicodeDecodeError as error:
            if _is_cut_utf8(raw, error):
                return raw[: error.start].decode()
        except LookupError:
            continue
    return raw.decode("latin-1")


def decode_utf16(raw: bytes) -> str:
    """Decode UTF-16 in the order of its mark, by default little-endian, or the other if all low bytes are zero."""
    raw = raw[:MAX_TEXT_BYTES]
    big_endian = raw.startswith(BOM_UTF16_BE)
    body = raw[2:] if raw.startswith((BOM_UTF16_BE, BOM_UTF16_LE)) else raw
    body = body[: len(body) // 2 * 2]
    low, high = (body[1::2], body[::2]) if big_endian else (body[::2], body[1::2])
    if not any(low) and len(high.strip(b"\0")) > 1:
        big_endian = not big_endian
    return body.decode("utf-16-be" if big_endian else "utf-16-le", "replace")


def code_page_name(code_page: int) -> str:
    """Return Python's name of a Windows code page, or "" for 0."""
    return _CODECS.get(code_page, f"cp{code_page}") if code_page else ""


def find_utf16_order(raw: bytes) -> str:
    """Return the codec of UTF-16 without a mark, or "". The upper halves of its units are block numbers or zeros."""
    raw = raw[: len(raw) // 2 * 2]
    if len(raw.rstrip(b"\0")) < 2:
        return ""
    for codec, upper, lower in (("utf-16-le", 1, 0), ("utf-16-be", 0, 1)):
        if _UPPER_BYTES.issuperset(raw[upper::2]) and any(raw[lower::2]):
            return codec
    return ""


def _is_cut_utf8(raw: bytes, error: UnicodeDecodeError) -> bool:
    """Return True if a fixed-size field ends inside a character. After ASCII alone, the last byte is Windows-1252."""
    cut = error.encoding == "utf-8" and error.reason == "unexpected end of data"
    return cut and not raw[: error.start].isascii()
