"""The bytes of an ID3v2 tag -> the plain data of each of its frames.

In: anything: ID3v2.2, 2.3, 2.4 or broken. Out: frame names (as in ID3v2.4, or 2.3 where that has none) with their
data, unsynchronisation undone. Errors: none. A frame that is cut off, compressed or encrypted is left out (players
cannot read those either). Time and memory are linear in the tag.
Source: ID3v2.2 (section 3), 2.3.0 (section 3) and 2.4.0 structure (sections 3, 4 and 6).

mutagen's own reader does not see these bytes: it takes quadratic time on many small frames, unpacks compressed
ones without a bound, recurses through nested chapters and drops a tag whose size field is wrong.
"""

import re
from collections.abc import Iterator

from mutagen.id3 import Frames_2_2

_TAG = re.compile(rb"ID3([\x02-\x04])[\s\S]([\s\S])[\x00-\x7f]{4}")
_FRAME_V22 = re.compile(rb"([A-Z][A-Z0-9]{2})([\s\S]{3})()")
_FRAME = re.compile(rb"([A-Z][A-Z0-9]{2}[A-Z0-9 \0])([\s\S]{4})[\s\S]([\s\S])")
_V22_NAMES = {old: new.__bases__[0].__name__ for old, new in Frames_2_2.items()}


def walk_tag(raw: bytes) -> tuple[int, Iterator[tuple[str, bytes]]]:
    """The tag's major version (0: no tag) and its frames. Its size field is not believed: padding or the end counts."""
    header = _TAG.search(raw, 0, 26)  # some writers leave a stray byte in front
    if not header:
        return 0, iter(())
    major, flags = header[1][0], header[2][0]
    unsynchronised = bool(flags & 0x80)
    body, at = raw, header.end()
    if unsynchronised and major < 4:
        body, at = _synchronised(raw[at:]), 0
    if flags & 0x40:
        at += _extended_header_bytes(body, at, major)
    return major, walk_frames(body, major, at, unsynchronised=unsynchronised)


def _synchronised(data: bytes) -> bytes:
    """Undo unsynchronisation, unless the writer set its flag without doing it."""
    return data if re.search(rb"\xff[\xe0-\xff]", data) else data.replace(b"\xff\0", b"\xff")


def _extended_header_bytes(body: bytes, at: int, major: int) -> int:
    if major == 2:
        return len(body)  # there the flag means a compression that was never defined
    if _FRAME.match(body, at):
        return 0  # flagged but absent
    size = body[at : at + 4]
    return _synchsafe(size) if major == 4 else int.from_bytes(size) + 4


def walk_frames(
    body: bytes, major: int, at: int, *, unsynchronised: bool
) -> Iterator[tuple[str, bytes]]:
    pattern = _FRAME_V22 if major == 2 else _FRAME
    while head := pattern.match(body, at):
        start = head.end()
        at = start + _frame_size(body, start, head[2], major)
        name = head[1].decode().rstrip(" \0")  # iTunes writes 2.2 names into 2.3 tags
        data = _plain(body[start:at], major, head[3][0] if head[3] else 0, unsynchronised)
        if data and at <= len(body):
            yield _V22_NAMES.get(name, name), data


def _frame_size(body: bytes, start: int, raw: bytes, major: int) -> int:
    """In 2.4 sizes are synchsafe, but iTunes wrote plain ones: take the one that ends where something begins."""
    plain = int.from_bytes(raw)
    if major < 4 or max(raw) > 0x7F:
        return plain
    fits = [_is_boundary(body, start + size) for size in (_synchsafe(raw), plain)]
    return plain if fits == [False, True] else _synchsafe(raw)


def _is_boundary(body: bytes, at: int) -> bool:
    return at == len(body) or body[at : at + 1] == b"\0" or bool(_FRAME.match(body, at))


def _synchsafe(raw: bytes) -> int:
    size = 0
    for byte in raw:
        size = size << 7 | byte & 0x7F
    return size


def _plain(data: bytes, major: int, flags: int, unsynchronised: bool) -> bytes:
    compressed_or_encrypted, grouped = (0xC0, 0x20) if major == 3 else (0x0C, 0x40)
    if flags & compressed_or_encrypted:
        return b""
    prefix_bytes = bool(flags & grouped) + 4 * (major == 4 and flags & 0x01)
    if major == 4 and (unsynchronised or flags & 0x02):
        return _synchronised(data[prefix_bytes:])
    return data[prefix_bytes:]
