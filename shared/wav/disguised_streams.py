"""What 16-bit samples are that are none: a compressed stream, disguised for a CD player or an S/PDIF cable.

In: the first bytes of the data. Out: the stream's name, or None. As samples such a stream is loud noise.
Sources: ETSI TS 102 114 (DTS, in words of 16 bits or of 14), IEC 61937-1 and -2 (preamble and data types of S/PDIF).
"""

import re

_STREAMS = (
    (re.compile(rb"\xfe\x7f\x01\x80.[\xfc-\xff]", re.DOTALL), "DTS"),
    (re.compile(rb"\xff\x1f\x00\xe8[\xf0-\xff]\x07"), "DTS"),
    (re.compile(rb"\x72\xf8\x1f\x4e[\x0b-\x0d\x11]"), "DTS"),
    (re.compile(rb"\x72\xf8\x1f\x4e[\x01\x15]"), "Dolby AC-3"),
    (re.compile(rb"\x72\xf8\x1f\x4e"), "an S/PDIF stream"),
)


def describe_samples(start: bytes) -> str | None:
    """Silence may stand in front of the stream."""
    sound = start.lstrip(b"\0")
    return next((name for sync, name in _STREAMS if sync.match(sound)), None)
