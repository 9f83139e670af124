"""Finds samples after an old header. Some programs write a shorter header and leave the end of the old one in the data.

In: a complete file, and the place and size of its data. Out: the place and size of the samples. Played as samples, the
old header would be a click. Raises nothing.
"""

import re

from shared.wav.container import Source, container_at

_SEARCHED_BYTES = 128
_DATA = re.compile(rb"data(.{4})", re.DOTALL)


def skip_stale_header(
    source: Source, offset: int, declared: int, *, big_endian: bool
) -> tuple[int, int]:
    """Return the place and size after a second header of the data, if one of both sizes leads exactly to the end."""
    end = offset + declared
    if end > source.size_bytes or container_at(source, offset):
        return offset, declared
    for match in _DATA.finditer(source.read(offset, min(declared, _SEARCHED_BYTES))):
        start = offset + match.end()
        size = int.from_bytes(match[1], "big" if big_endian else "little")
        if size and start + size in (end, source.size_bytes):
            return start, size
        if start + declared == source.size_bytes:
            return start, declared
    return offset, declared
