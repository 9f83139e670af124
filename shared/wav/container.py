"""The kind of a WAV, by its first bytes.

In: a seekable file, complete or still growing. Out: a `Container`. Raises `NotAWav`, and `BadWav` for a header that
was damaged as text. Sources: those of `chunks.py`, and for tags ID3v2.4.0 structure, 3.1 (id3.org).
"""

import re
from dataclasses import dataclass, replace
from typing import BinaryIO

from shared.errors import BadWav, NotAWav
from shared.wav.other_formats import NO_OTHER_FORMAT, describe_file
from shared.wav.text_damage import describe_damaged_header

_W64_RIFF = bytes.fromhex("72696666 2e91cf11 a5d628db 04c10000")
_W64_WAVE = bytes.fromhex("77617665 f3acd311 8cd100c0 4f8edb8a")
_SEARCHED_BYTES = 1 << 20
_MAX_JUNK_BYTES = 4096
_HEADER = re.compile(rb"(?:RIFF|RIFX|RF64|BW64).{4}WAVE(?:fmt |ds64|JUNK|bext|LIST)", re.DOTALL)
_HEADER_BYTES = 16
_PLAIN_HEADER_BYTES = 44
MAGIC_BYTES = 40
"""This many bytes at the start identify every WAV. A W64 needs the most."""
W64_TAILS = (_W64_RIFF[4:], _W64_WAVE[4:])


@dataclass(frozen=True, slots=True)
class Source:
    """A file whose first `size_bytes` have arrived."""

    file: BinaryIO
    size_bytes: int

    def read(self, offset: int, count: int) -> bytes:
        """Return `count` bytes at `offset`, or fewer at the end of the file."""
        if offset >= self.size_bytes:
            return b""
        self.file.seek(offset)
        return self.file.read(min(count, self.size_bytes - offset))

    def find_wav(self, start: int) -> int | None:
        """Return the offset of the first RIFF, RIFX, RF64 or BW64 header from `start` on."""
        for at in range(start, self.size_bytes, _SEARCHED_BYTES):
            found = _HEADER.search(self.read(at, _SEARCHED_BYTES + _HEADER_BYTES - 1))
            if found:
                return at + found.start()
        return None


@dataclass(frozen=True, slots=True)
class Container:
    """The kind of WAV and where it starts."""

    name: str
    start: int
    """The offset of the magic bytes: 0, or the size of the ID3v2 tag before them."""
    body: int
    """The offset of the first chunk."""
    junk_bytes: int = 0
    """The bytes before the header that are not an ID3v2 tag."""

    @property
    def big_endian(self) -> bool:
        return self.name == "RIFX"

    @property
    def kind(self) -> tuple[bool, int]:
        """Byte order and size of the headers. Containers of the same kind can be read in the same way."""
        return self.big_endian, self.header_bytes

    @property
    def header_bytes(self) -> int:
        return 24 if self.name == "W64" else 8

    @property
    def alignment(self) -> int:
        return 8 if self.name == "W64" else 2


def find_container(source: Source) -> Container | None:
    """Return the container, or None if more bytes are needed to decide. Raises `NotAWav`, `BadWav`."""
    if damage := describe_damaged_header(source.read(0, _PLAIN_HEADER_BYTES)):
        raise BadWav(damage)
    start = id3v2_bytes(source.read(0, 10))
    if container := container_at(source, start):
        return container
    head = source.read(start, MAGIC_BYTES)
    if len(head) < (MAGIC_BYTES if _W64_RIFF.startswith(head[:16]) else 12):
        return None
    description = describe_file(source.read(0, 512))
    if description not in NO_OTHER_FORMAT:
        raise NotAWav(description)
    if container := _find_after_junk(source):
        return container
    if source.size_bytes < _MAX_JUNK_BYTES + _HEADER_BYTES:
        return None
    raise NotAWav(description)


def _find_after_junk(source: Source) -> Container | None:
    """Find the header after a few bytes that a web server or a script wrote before it, such as a byte order mark."""
    found = _HEADER.search(source.read(0, _MAX_JUNK_BYTES + _HEADER_BYTES))
    container = container_at(source, found.start()) if found else None
    return replace(container, junk_bytes=container.start) if container else None


def container_at(source: Source, start: int) -> Container | None:
    head = source.read(start, MAGIC_BYTES)
    if head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return Container(head[:4].decode(), start, start + 12)
    if head[:16] == _W64_RIFF and head[24:] == _W64_WAVE:
        return Container("W64", start, start + 40)
    return None


def container_inside(source: Source, offset: int, outer: Container) -> Container | None:
    """Return the WAV at `offset` if it is of the same kind as the `outer` one."""
    inner = container_at(source, offset)
    return inner if inner is not None and inner.kind == outer.kind else None


def id3v2_bytes(head: bytes) -> int:
    """Return the size of an ID3v2 tag that starts with these 10 bytes, or 0."""
    if len(head) < 10 or head[:3] != b"ID3" or max(head[6:10]) > 0x7F:
        return 0
    size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    footer_bytes = 10 if head[5] & 0x10 else 0
    return 10 + size + footer_bytes
