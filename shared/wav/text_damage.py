"""Detects a WAV that a program treated as text: it decoded the file as UTF-8, or changed its line ends.

In: the first bytes of the file, or raw bytes from the first sound on. Out: a sentence for the user, or None. Such
samples are loud noise, and nothing can restore them.
"""

import re

_REPLACEMENT = "\ufffd".encode()
_MIN_REPLACED = 1 / 8
"""Share of the bytes. Each byte above 127 becomes such a character of three bytes: over a third of most recordings."""
_MIN_LINE_ENDS = 32
_LINE_END = re.compile(rb"..\r\n..", re.DOTALL)
"""A line end with the bytes around it. A tone, or samples of one level, may repeat a few such sequences for ever."""
_WAVE_AT = 8
_SIZE_END = 10
"""The end of the RIFF size if its last byte became three."""
_UTF8 = (
    "The WAV was damaged by a program that read it as UTF-8 text: its samples are lost. "
    "Send the original file as binary data."
)
_LINE_ENDS = (
    "The WAV was damaged by a program that changed its line ends, as if it were text. "
    "Copy the original file in binary mode and upload that."
)


def describe_text_damage(raw: bytes) -> str | None:
    """Check the samples. Works for every codec."""
    if raw.count(_REPLACEMENT) * len(_REPLACEMENT) > _MIN_REPLACED * len(raw):
        return _UTF8
    line_ends = raw.count(b"\r\n")
    if line_ends < _MIN_LINE_ENDS or line_ends != raw.count(b"\n"):
        return None
    # In undamaged sound, byte 13 is as frequent as byte 10.
    has_others = raw.count(b"\r") > 1.5 * line_ends
    is_varied = len(set(_LINE_END.findall(raw))) >= _MIN_LINE_ENDS
    return _LINE_ENDS if has_others and is_varied else None


def describe_damaged_header(header: bytes) -> str | None:
    """Check the numbers in the first bytes of a file. Text is not checked: it may contain such a character."""
    has_fmt = header.startswith(b"WAVEfmt ", _WAVE_AT)
    numbers = header if has_fmt else header[:_SIZE_END]
    return _UTF8 if header.startswith(b"RIFF") and _REPLACEMENT in numbers else None
