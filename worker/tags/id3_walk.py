"""Yields the name and the plain data of each frame in the bytes of an ID3v2 tag.

In: ID3v2.2, 2.3, 2.4 or broken bytes. Out: frame names (as in ID3v2.4, or as in 2.3 for frames that 2.4 lacks) with
their data, unsynchronisation undone. Raises nothing. Frames that players cannot read (incomplete, compressed or
encrypted) are left out, and their names go to `unreadable`. Time and memory are linear in the size of the tag.
Sources: ID3v2.2 (section 3), 2.3.0 (section 3) and 2.4.0 structure (sections 3, 4 and 6).

mutagen's own reader takes quadratic time on many small frames, unpacks compressed ones without a bound, recurses
through nested chapters and drops a tag whose size field is wrong. So it never sees these bytes.
"""

import re
from collections.abc import Iterator

from mutagen.id3 import Frames_2_2

_TAG = re.compile(rb"ID3([\x02-\x04])[\s\S]([\s\S])[\x00-\x7f]{4}")
_FRAME_V22 = re.compile(rb"([A-Z][A-Z0-9]{2})([\s\S]{3})()")
_FRAME = re.compile(rb"([A-Z][A-Z0-9]{2}[A-Z0-9 \0])([\s\S]{4})[\s\S]([\s\S])")
_FOOTER = b"3DI"
_V22_NAMES = {old: new.__bases__[0].__name__ for old, new in Frames_2_2.items()}


def walk_tag(raw: bytes, unreadable: list[str]) -> tuple[int, Iterator[tuple[str, bytes]]]:
    """Return the tag's major version, or 0, and its frames up to the padding or the end. Ignores the size field."""
    header = _TAG.search(raw, 0, 26)  # some writers leave stray bytes before it
    if not header:
        unreadable += ["the whole tag"] * bool(raw.strip(b"\0"))
        return 0, iter(())
    major, flags = header[1][0], header[2][0]
    unsynchronised = bool(flags & 0x80)
    body, at = raw, header.end()
    if unsynchronised and major < 4:
        body, at = _undo_unsynchronisation(raw[at:]), 0
    if flags & 0x40:
        at += _extended_header_bytes(body, at, major)
    return major, walk_frames(body, major, at, unreadable, unsynchronised=unsynchronised)


def _undo_unsynchronisation(data: bytes) -> bytes:
    """Undo unsynchronisation, unless the writer set its flag without doing it."""
    return data if re.search(rb"\xff[\xe0-\xff]", data) else data.replace(b"\xff\0", b"\xff")


def _extended_header_bytes(body: bytes, at: int, major: int) -> int:
    if major == 2:
        return len(body)  # in 2.2 the flag means a compression that was never defined
    if _FRAME.match(body, at):
        return 0  # flagged but absent
    size = body[at : at + 4]
    return _synchsafe(size) if major == 4 else int.from_bytes(size) + 4


def walk_frames(
    body: bytes, major: int, at: int, unreadable: list[str], *, unsynchronised: bool
) -> Iterator[tuple[str, bytes]]:
    pattern, name = _FRAME_V22 if major == 2 else _FRAME, "the tag's header"
    while head := pattern.match(body, at):
        start = head.end()
        at = start + _frame_size(body, start, head[2], major)
        name = head[1].decode().rstrip(" \0")  # iTunes writes 2.2 names into 2.3 tags
        data = _frame_data(body[start:at], major, head[3][0] if head[3] else 0, unsynchronised)
        if data and at <= len(body):
            yield _V22_NAMES.get(name, name), data
        elif at > start:
            unreadable.append(name)
    rest = body[at:].strip(b"\0")
    if rest and not rest.startswith(_FOOTER):
        unreadable.append(f"{len(rest)} bytes after {name}")


def _frame_size(body: bytes, start: int, raw: bytes, major: int) -> int:
    """Return the size that ends at a frame or at padding: sizes in 2.4 are synchsafe, but iTunes wrote plain ones."""
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


def _frame_data(data: bytes, major: int, flags: int, unsynchronised: bool) -> bytes:
    compressed_or_encrypted, grouped = (0xC0, 0x20) if major == 3 else (0x0C, 0x40)
    if flags & compressed_or_encrypted:
        return b""
    prefix_bytes = bool(flags & grouped) + 4 * (major == 4 and flags & 0x01)
    data = data[prefix_bytes:]
    unsynchronised = major == 4 and (unsynchronised or bool(flags & 0x02))
    return _undo_unsynchronisation(data) if unsynchronised else data
