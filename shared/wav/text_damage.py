"""Detects samples that a program treated as text: it decoded them as UTF-8, or changed their line ends.

In: raw bytes from the first sound on. Out: a sentence for the user, or None. Played, such samples are loud noise, and
nothing can restore them.
"""

_REPLACEMENT = "\ufffd".encode()
_MIN_REPLACED = 1 / 8
"""Of the bytes. Every byte above 127 becomes such a character, so at least a third of the sound is."""
_MIN_LINE_ENDS = 32
_MIN_DIFFERENT_BYTES = 64
"""Samples of one level may look like line ends."""
_UTF8 = (
    "The WAV was damaged by a program that read it as UTF-8 text: its samples are lost. "
    "Send the original file as binary data."
)
_LINE_ENDS = (
    "The WAV was damaged by a program that changed its line ends, as if it were text. "
    "Copy the original file in binary mode and upload that."
)


def describe_text_damage(raw: bytes) -> str | None:
    if raw.count(_REPLACEMENT) * len(_REPLACEMENT) > _MIN_REPLACED * len(raw):
        return _UTF8
    line_ends = raw.count(b"\r\n")
    if line_ends < _MIN_LINE_ENDS or line_ends != raw.count(b"\n"):
        return None
    # In sound, a byte 13 is as frequent as a byte 10.
    has_others = raw.count(b"\r") > 1.5 * line_ends and len(set(raw)) >= _MIN_DIFFERENT_BYTES
    return _LINE_ENDS if has_others else None


def describe_damaged_header(header: bytes) -> str | None:
    return _UTF8 if header.startswith(b"RIFF") and _REPLACEMENT in header else None
