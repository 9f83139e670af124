"""Detects compressed streams (DTS, AC-3) stored as 16-bit PCM, as CD rips and S/PDIF recordings do.

In: the first bytes of the data. Out: the stream's name, or None. Played as samples, such a stream is loud noise.
Sources: ETSI TS 102 114 (DTS in words of 16 and of 14 bits), IEC 61937-1 and -2 (S/PDIF preamble and data types).
"""

import re

_STREAMS = (
    (re.compile(rb"\xfe\x7f\x01\x80.[\xfc-\xff]", re.DOTALL), "DTS"),
    (re.compile(rb"\xff\x1f\x00\xe8[\xf0-\xff]\x07"), "DTS"),
    (re.compile(rb"\x72\xf8\x1f\x4e[\x0b-\x0d\x11]"), "DTS"),
    (re.compile(rb"\x72\xf8\x1f\x4e[\x01\x15]"), "Dolby AC-3"),
    (re.compile(rb"\x72\xf8\x1f\x4e"), "an S/PDIF stream"),
)


def detect_stream(start: bytes) -> str | None:
    """Return the name of the stream that starts here or after silence."""
    sound = start.lstrip(b"\0")
    return next((name for sync, name in _STREAMS if sync.match(sound)), None)
