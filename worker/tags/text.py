"""Decodes the text of WAV metadata and makes it fit for a UTF-8 ID3 frame.

In: bytes of unknown encoding. RIFF declares none, except in CSET, which few programs write, and programs write their
locale's bytes where a standard requires ASCII or UTF-8.
Out: str without NULs, control characters other than tab and newline, lone surrogates or surrounding blanks.
Raises nothing. Time and memory are linear in at most MAX_TEXT_BYTES.
"""

import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE

MAX_TEXT_BYTES = 65_536
"""Of one text. The longest real ones are coding histories and lyrics."""

_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufeff]")

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


def decode_field(raw: bytes, code_page: int = 0) -> str:
    """Decode a NUL-terminated field. Bytes after the NUL are leftovers in the writer's buffer."""
    raw = raw[:MAX_TEXT_BYTES]
    if _is_utf16(raw):
        return clean(decode_utf16(raw).partition("\0")[0])
    return clean(decode(raw.partition(b"\0")[0], code_page))


def decode(raw: bytes, code_page: int = 0) -> str:
    """Decode UTF-8 if it is valid (other text hardly ever is), else the Windows code page, else Windows-1252."""
    raw = raw[:MAX_TEXT_BYTES]
    for encoding in ("utf-8", _CODECS.get(code_page, f"cp{code_page}"), "cp1252"):
        try:
            return raw.decode(encoding)
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


def _is_utf16(raw: bytes) -> bool:
    one_half_is_zero = len(raw) > 1 and not (any(raw[::2]) and any(raw[1::2]))
    return one_half_is_zero or raw.startswith((BOM_UTF16_BE, BOM_UTF16_LE))


def _is_cut_utf8(raw: bytes, error: UnicodeDecodeError) -> bool:
    """Tell whether a fixed-size field ends inside a character. After ASCII alone, the last byte is Windows-1252."""
    cut = error.encoding == "utf-8" and error.reason == "unexpected end of data"
    return cut and not raw[: error.start].isascii()
