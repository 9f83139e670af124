"""Chooses the charset of a WAV's text, for all its fields together.

RIFF declares none, except in CSET, which few programs write. The order is: UTF-16 by its form, the charset that the
user named, UTF-8 if valid, the code page in CSET, a guess from all other fields of the file,
Windows-1252. ID3 declares Latin-1, but many programs write their code page there. For such text the guess is used only
if the script is not Latin. Raises nothing. Time and memory are linear in the text.
"""

import codecs
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections import Counter
from contextlib import suppress

import chardet

from worker.tags.text import MAX_TEXT_BYTES, clean, decode, decode_utf16, find_utf16_order

_MAX_EVIDENCE_BYTES = 16_384
_INVALID = "\ufffd"  # in place of bytes that no character has
# The code pages of Windows, macOS and old recorders. With more candidates, the guess for a short text is less reliable.
_LATIN = ("cp1252", "cp1250", "cp1254", "mac-roman")
_CANDIDATES = (
    *_LATIN,
    *("cp932", "gb18030", "big5", "cp949", "euc-jp", "cp874", "cp1251", "cp1253", "cp1255"),
    *("cp1256", "cp1257", "koi8-r", "cp866", "iso8859-2"),
)
_ACCENTED_WORD = re.compile(rb"[A-Za-z]*[\x80-\xff][A-Za-z\x80-\xff]*")
_HIGH_BYTE = re.compile(rb"[\x80-\xff]")
_CONTROLS = re.compile("[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")

# The sentences about losses, with the number of texts.
_CUT = f"{{}} text(s) were cut to the first {MAX_TEXT_BYTES} bytes."
_AFTER_NUL = (
    "{} text(s) go on after a NUL character, which ends a text. The text after it was left out."
)
_CONTROLS_LOST = "{} text(s) have control characters, which were left out."
_NOT_VALID = "{{}} text(s) are not valid in {}. They may be wrong."


class FileText:
    """Decodes the fields of one file. Read all fields, call `guess`, and if it returns True read them again."""

    def __init__(self, *, requested: str, declared: str) -> None:
        self._requested = requested
        self._declared = declared if _exists(declared) else ""
        self._guessed = ""
        self._evidence = bytearray()
        self._latin1_evidence = bytearray()
        self._doubtful = ""
        self._losses: Counter[str] = Counter()

    def field(self, raw: bytes, declared: str = "") -> str:
        """Decode a NUL-terminated field, which may declare a charset of its own.

        Bytes after the NUL may be leftovers in the writer's buffer.
        """
        if len(raw.rstrip(b"\0")) > MAX_TEXT_BYTES:
            self._losses[_CUT] += 1
        raw = raw[:MAX_TEXT_BYTES]
        if raw.startswith((BOM_UTF16_BE, BOM_UTF16_LE)):
            return self.clean(self.until_nul(self.decode_utf16(raw)))
        if codec := find_utf16_order(raw):
            text = raw[: len(raw) // 2 * 2].decode(codec, "replace")
            return self.clean(self.until_nul(self._check(text, raw)))
        start, _, rest = raw.partition(b"\0")
        self._losses[_AFTER_NUL] += bool(rest.strip(b"\0 "))
        is_free = not self._requested and not _fits(start, "utf-8")
        if is_free and _exists(declared) and _fits(start, declared):
            return self.clean(start.decode(declared))
        return self.clean(self._decode(start, self._evidence))

    def until_nul(self, text: str) -> str:
        """Return the text before the first NUL."""
        text, _, rest = text.partition("\0")
        self._losses[_AFTER_NUL] += bool(rest.strip("\0 "))
        return text

    def clean(self, text: str) -> str:
        self._losses[_CONTROLS_LOST] += bool(_CONTROLS.search(text))
        return clean(text)

    def decode_utf16(self, raw: bytes) -> str:
        """Decode text that is declared as UTF-16, with any NULs."""
        return self._check(decode_utf16(raw), raw)

    def _check(self, text: str, raw: bytes) -> str:
        has_odd_byte = len(raw) % 2 == 1 and raw[-1] != 0
        self._losses[_NOT_VALID.format("UTF-16")] += has_odd_byte or _INVALID in text
        return text

    def decode_utf8(self, raw: bytes) -> str:
        """Decode text that is declared as UTF-8, with any NULs."""
        self._losses[_NOT_VALID.format("UTF-8")] += not _fits(raw, "utf-8")
        return decode(raw)

    def decode_latin1(self, raw: bytes) -> str:
        """Decode text that ID3 declares as Latin-1, with any NULs."""
        return self._decode(raw, self._latin1_evidence)

    def decode_xml(self, raw: bytes, declared: str) -> str:
        """Decode UTF-8, or else the charset that the XML declares."""
        with suppress(UnicodeDecodeError):
            return codecs.utf_8_decode(raw, "strict", False)[0]  # the limit may cut a character
        if _exists(declared) and _fits(raw, declared):
            return raw.decode(declared)
        return self._decode(raw, self._evidence)

    def _decode(self, raw: bytes, evidence: bytearray) -> str:
        if self._requested and _fits(raw, self._requested):
            return raw.decode(self._requested)
        if _fits(raw, "utf-8"):
            return decode(raw)
        named = self._requested or self._declared
        if named and not _fits(raw, self._declared):  # another program wrote this field
            self._losses[_NOT_VALID.format(named)] += 1
        if len(evidence) < _MAX_EVIDENCE_BYTES:
            evidence += raw + b"\n"
        return decode(raw, *filter(None, (self._declared, self._guessed)))

    def guess(self) -> bool:
        """Guess the charset. Return True if there is text that needs the guess."""
        if self._declared:
            return False
        if self._evidence:
            self._guessed = _guess(bytes(self._evidence + self._latin1_evidence))
        elif self._latin1_evidence:
            guessed = _guess(bytes(self._latin1_evidence))
            if guessed not in _LATIN and len(_HIGH_BYTE.findall(self._latin1_evidence)) > 2:
                self._guessed = guessed
            elif guessed != "cp1252":
                self._doubtful = guessed
        if self._guessed:
            self._losses.clear()  # the second reading counts them again
        return bool(self._guessed)

    def warnings(self) -> list[str]:
        """Return the sentences that tell the user which text was guessed or cut."""
        warnings = []
        if self._guessed:
            warnings.append(
                f"The WAV does not name the charset of its text. The text was read as {self._guessed}. "
                "If it is wrong, upload the file again with tag_charset."
            )
        if self._doubtful:
            warnings.append(
                "The ID3 tag in the WAV declares its text as Latin-1. It was read as Latin-1, but it may be "
                f"{self._doubtful}. If it is wrong, upload the file again with tag_charset."
            )
        warnings += [sentence.format(count) for sentence, count in self._losses.items() if count]
        return warnings


def _guess(evidence: bytes) -> str:
    accented = b"".join(_ACCENTED_WORD.findall(evidence))
    high = len(_HIGH_BYTE.findall(accented))
    if high < 2:
        return "cp1252"  # one byte is not enough for a guess
    # In a Latin word, most bytes are ASCII letters. In CJK text at most half are, in other scripts none.
    found = chardet.detect(
        evidence,
        include_encodings=_LATIN if 2 * high < len(accented) else _CANDIDATES,
        prefer_superset=True,
        compat_names=False,
    )
    return found["encoding"] or "cp1252"


def _exists(charset: str) -> bool:
    try:
        return bool(charset and codecs.lookup(charset))
    except LookupError:
        return False


def _fits(raw: bytes, charset: str) -> bool:
    try:
        return bool(charset) and raw.decode(charset) is not None
    except UnicodeError:
        return False
