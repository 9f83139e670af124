"""The chunks of a WAV: which container it is, and a walk over its chunk headers.

In: a seekable file, complete or still growing. Out: a `Container`, then `Header`s in file order. Reads 40 bytes a
header and never a payload, except the size table of a `ds64` chunk. Raises `NotAWav` only.

Sources: RIFF and RIFX: Microsoft/IBM "Multimedia Programming Interface and Data Specifications 1.0"; RF64 and BW64:
EBU Tech 3306 and ITU-R BS.2088; W64: Sony Pictures Digital, "Sony Wave64"; ID3v2 in front: id3.org, ID3v2.4, 3.1.

Where the wild differs: the RIFF size is ignored. A pad byte that a writer forgot is noticed by the chunk id that then
stands one byte early, a LIST that is said to be a few bytes too long by the chunk inside its end. Unknown data sizes
mean "to the end of the file" (see `ChunkWalk._data_bytes`).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from shared.errors import NotAWav
from shared.wav.other_formats import describe

_W64_RIFF = bytes.fromhex("72696666 2e91cf11 a5d628db 04c10000")
_W64_WAVE = bytes.fromhex("77617665 f3acd311 8cd100c0 4f8edb8a")
_W64_TAILS = (_W64_RIFF[4:], _W64_WAVE[4:])
_MAX_DS64_BYTES = 28 + 12 * 1000
_MAX_FOLLOWING = 100  # so many headers in a row are no coincidence
_MAX_LIST_EXCESS_BYTES = 16
_KNOWN, _LIKELY = 3, 2

# a stray byte run that looks like text is no chunk; these names are believed without further proof
_KNOWN_IDS = frozenset(
    b"fmt ,data,fact,ds64,LIST,list,JUNK,junk,PAD ,FLLR,bext,iXML,axml,_PMX,cue ,smpl,inst,acid,id3 ,ID3 ,"
    b"chna,cart,PEAK,plst,levl,umid,afsp,DISP,strc,regn,elm1,minf,ovwf,LGWV,ResU,AFAn,SNDM,wavl,slnt".split(
        b","
    )
)


@dataclass(frozen=True, slots=True)
class Source:
    """A file of which the first `size_bytes` are there."""

    file: BinaryIO
    size_bytes: int

    def read(self, offset: int, count: int) -> bytes:
        """What is there of `count` bytes at `offset`."""
        if offset >= self.size_bytes:
            return b""
        self.file.seek(offset)
        return self.file.read(min(count, self.size_bytes - offset))


@dataclass(frozen=True, slots=True)
class Container:
    """`start` is where the magic stands, behind an ID3v2 tag if there is one; `body`, the first chunk."""

    name: str
    start: int
    body: int

    @property
    def big_endian(self) -> bool:
        return self.name == "RIFX"

    @property
    def header_bytes(self) -> int:
        return 24 if self.name == "W64" else 8

    @property
    def alignment(self) -> int:
        return 8 if self.name == "W64" else 2


@dataclass(frozen=True, slots=True)
class Header:
    """A chunk: `offset` and `size` of the payload bytes that are there, `declared` is what the file says."""

    id: bytes
    offset: int
    declared: int
    size: int


def find_container(source: Source) -> Container | None:
    """What kind of WAV this is; None while too few bytes are there to tell. Raises `NotAWav`."""
    start = _id3v2_bytes(source.read(0, 10))
    head = source.read(start, 40)
    if head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return Container(head[:4].decode(), start, start + 12)
    if head[:16] == _W64_RIFF and head[24:] == _W64_WAVE:
        return Container("W64", start, start + 40)
    if len(head) < (40 if _W64_RIFF.startswith(head[:16]) else 12):
        return None
    raise NotAWav(describe(source.read(0, 512)))


def _id3v2_bytes(head: bytes) -> int:
    if len(head) < 10 or head[:3] != b"ID3" or max(head[6:10]) > 0x7F:
        return 0
    size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    footer_bytes = 10 if head[5] & 0x10 else 0
    return 10 + size + footer_bytes


def is_streaming_size(declared: int) -> bool:
    """Whether a data size is what writers put that could not go back: 0, or the largest there is, or near it."""
    return (
        declared == 0
        or 0x7FFF0000 <= declared <= 0x80000000
        or 0xFFFF0000 <= declared <= 0xFFFFFFFF
        or declared >= 2**62
    )


def is_printable(chunk_id: bytes) -> bool:
    return all(0x20 <= byte < 0x7F for byte in chunk_id) and chunk_id != b"    "


class ChunkWalk:
    """Iterates over the headers that are wholly there. A `ds64` gives the sizes of the chunks behind it."""

    def __init__(self, source: Source, container: Container) -> None:
        self._source = source
        self._container = container
        self._sizes64: dict[bytes, int] = {}

    def __iter__(self) -> Iterator[Header]:
        at = self._container.body
        while peeked := self._peek(at):
            chunk_id, declared = peeked
            offset = at + self._container.header_bytes
            size = self._payload_bytes(chunk_id, offset, declared)
            yield Header(chunk_id, offset, declared, size)
            if chunk_id == b"ds64" and not self._sizes64:
                self._read_ds64(offset, size)
            at = self._next(offset + (size if chunk_id == b"data" else declared))
            if chunk_id == b"LIST" and self._rank(at) < _LIKELY:
                at = self._inside_end_of_list(offset, offset + declared) or at

    def _peek(self, at: int) -> tuple[bytes, int] | None:
        """Id and declared size of the chunk at `at`; a GUID's id is its first four bytes."""
        raw = self._source.read(at, self._container.header_bytes)
        if len(raw) < self._container.header_bytes:
            return None
        if self._container.name == "W64":
            # sizes include the header here; ids of other people's GUIDs stay unnamed
            chunk_id = raw[:4] if raw[4:16] in _W64_TAILS else bytes(4)
            return chunk_id, max(0, int.from_bytes(raw[16:], "little") - 24)
        chunk_id, size = struct.unpack(">4sI" if self._container.big_endian else "<4sI", raw)
        return chunk_id, self._size64(chunk_id, size)

    def _size64(self, chunk_id: bytes, size32: int) -> int:
        """`ds64` wins where 32 bits say "look there", and over a data size that is empty or its own lower half."""
        size64 = self._sizes64.get(chunk_id, size32)
        defers = size32 == 0xFFFFFFFF or (
            chunk_id == b"data" and size32 in (0, size64 & 0xFFFFFFFF)
        )
        return size64 if defers else size32

    def _read_ds64(self, offset: int, size: int) -> None:
        raw = self._source.read(offset, min(size, _MAX_DS64_BYTES))
        order = ">" if self._container.big_endian else "<"
        if len(raw) < 24:
            return
        (self._sizes64[b"data"],) = struct.unpack_from(order + "Q", raw, 8)
        table = raw[28 : 28 + (len(raw) - 28) // 12 * 12] if len(raw) > 28 else b""
        entries = int.from_bytes(raw[24:28], "big" if self._container.big_endian else "little")
        for chunk_id, size64 in struct.iter_unpack(order + "4sQ", table[: 12 * entries]):
            self._sizes64.setdefault(chunk_id, size64)

    def _payload_bytes(self, chunk_id: bytes, offset: int, declared: int) -> int:
        present = self._source.size_bytes - offset
        if chunk_id == b"data":
            return self._data_bytes(offset, declared, present)
        return min(declared, present)

    def _data_bytes(self, offset: int, declared: int, present: int) -> int:
        """How many bytes of samples there are.

        A size of 0 with chunks behind it is empty. A size that a streaming writer left, or one beyond the end of the
        file, reaches to the end. Data of 4 GiB and more in a plain RIFF leaves a size modulo 2**32, seen by what stands
        where the data should end: no chunk, but at least 4 GiB more.
        """
        if declared > present:
            return present
        if declared == 0:
            return 0 if self._chunks_follow(offset) else present
        if self._rank(self._next(offset + declared)):
            return declared
        if is_streaming_size(declared):
            return present
        return declared + ((present - declared) >> 32 << 32)

    def _chunks_follow(self, at: int) -> bool:
        """Whether chunks, not samples, stand at `at`: a known id, or headers that lead exactly to one or to the end."""
        for _ in range(_MAX_FOLLOWING):
            peeked = self._peek(at)
            if not peeked:
                return at + 1 >= self._source.size_bytes
            chunk_id, declared = peeked
            end = at + self._container.header_bytes + declared
            if chunk_id in _KNOWN_IDS:
                return True
            if not is_printable(chunk_id) or end > self._source.size_bytes:
                return False
            at = self._next(end)
        return True

    def _next(self, end: int) -> int:
        """Where the chunk behind one that ends at `end` begins."""
        padded = end + (self._container.start - end) % self._container.alignment
        return end if self._rank(end) > self._rank(padded) else padded

    def _rank(self, at: int) -> int:
        """How much what stands at `at` looks like a chunk.

        3 by a known id; 2 by a printable one and a size that leads on to another or to the end; 1 by the id alone.
        """
        peeked = self._peek(at)
        if not peeked:
            return 0
        chunk_id, declared = peeked
        if chunk_id in _KNOWN_IDS:
            return _KNOWN
        leads_on = self._may_begin(at + self._container.header_bytes + declared)
        return _LIKELY if is_printable(chunk_id) and leads_on else int(is_printable(chunk_id))

    def _may_begin(self, end: int) -> bool:
        """Whether a chunk that ends at `end`, padded or not, reaches the end of the file or what may be another."""
        for at in (end, end + 1):
            peeked = self._peek(at)
            if at == self._source.size_bytes or (peeked and is_printable(peeked[0])):
                return True
        return False

    def _inside_end_of_list(self, offset: int, end: int) -> int | None:
        """Where a known chunk begins in the last bytes of a LIST that is said to be longer than it is."""
        for at in range(max(offset, end - _MAX_LIST_EXCESS_BYTES), end):
            peeked = self._peek(at)
            if peeked and peeked[0] in _KNOWN_IDS:
                payload_end = at + self._container.header_bytes + peeked[1]
                if end < payload_end <= self._source.size_bytes:
                    return at
        return None
