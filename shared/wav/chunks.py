"""The chunks of a WAV: walks over the chunk headers.

In: a seekable file, complete or still growing, and its `Container`. Out: a `ChunkHeader` for each chunk in file order.
Reads at most 40 bytes for a header, and no payload except the size table of a `ds64` chunk. Raises nothing.

Sources: RIFF and RIFX: Microsoft/IBM "Multimedia Programming Interface and Data Specifications 1.0"; RF64 and BW64:
EBU Tech 3306 and ITU-R BS.2088; W64: Sony Pictures Digital, "Sony Wave64"; ID3v2 tags: id3.org, ID3v2.4, 3.1.

Real files break these standards. The walk ignores the RIFF size. It finds the next chunk where a writer forgot a pad
byte (the chunk id starts one byte early) and where a LIST declares a few bytes too many (a chunk starts inside its
end). A data size that a streaming writer left unset means "to the end of the file" (see `ChunkWalk._data_bytes`).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from shared.wav.container import W64_TAILS, Container, Source, container_at

_MAX_DS64_BYTES = 28 + 12 * 1000
_MAX_FOLLOWING = 100  # this many headers in a row cannot be random bytes
_MAX_LIST_EXCESS_BYTES = 16
# Data sizes of writers that cannot seek back: 0, or the maximum of 31, 32 or 64 bits, or a value near it.
_STREAMING_SIZES = (
    *(range(1), range(0x7FFF0000, 0x80000001)),
    *(range(0xFFFF0000, 2**32), range(2**62, 2**64)),
)
_UNLIKELY, _PRINTABLE, _LIKELY, _KNOWN = range(4)

# Chunk ids accepted without further checks. Any other id must also have a plausible size, because random bytes can look
# like text.
_KNOWN_IDS = frozenset(
    b"fmt ,data,fact,ds64,LIST,list,JUNK,junk,PAD ,FLLR,bext,iXML,axml,_PMX,cue ,smpl,inst,acid,"
    b"id3 ,ID3 ,chna,cart,PEAK,plst,levl,umid,afsp,DISP,strc,regn,elm1,minf,ovwf,LGWV,ResU,AFAn,"
    b"SNDM,wavl,slnt,RIFF,RIFX,RF64,BW64".split(b",")
)


@dataclass(frozen=True, slots=True)
class ChunkHeader:
    """The id of a chunk and the place of its payload."""

    id: bytes
    offset: int
    declared: int
    """The payload's size in bytes according to the file."""
    size: int
    """The bytes of the payload that are in the file."""
    container: Container
    """The WAV that the chunk is in: a file may hold several, one after another."""
    is_plausible: bool
    """False if the bytes at this place do not look like a chunk."""


def is_streaming_size(declared: int) -> bool:
    return any(declared in sizes for sizes in _STREAMING_SIZES)


def holds_wav(source: Source, data: ChunkHeader) -> bool:
    """Return True if the data is a WAV of the same kind, which the walk enters next."""
    return _has_wav_at(source, data.offset, data.container)


def _has_wav_at(source: Source, offset: int, outer: Container) -> bool:
    inner = container_at(source, offset)
    return inner is not None and inner.kind == outer.kind


def is_printable(chunk_id: bytes) -> bool:
    return all(0x20 <= byte < 0x7F for byte in chunk_id) and chunk_id != b"    "


class ChunkWalk:
    """Iterates over the complete chunk headers. A `ds64` chunk sets the sizes of the chunks after it.

    If another WAV of the same byte order follows the first one, the walk goes on with its chunks.
    """

    def __init__(self, source: Source, container: Container) -> None:
        self._source = source
        self._container = container
        self._sizes64: dict[bytes, int] = {}

    def __iter__(self) -> Iterator[ChunkHeader]:
        at = self._container.body
        while peeked := self._peek(at):
            if self._enter_next_wav(at):
                at = self._container.body
                # A header without a payload, so that a flood of WAVs counts as a flood of chunks.
                yield ChunkHeader(b"RIFF", at, 0, 0, self._container, is_plausible=True)
                continue
            chunk_id, declared = peeked
            offset = at + self._container.header_bytes
            size = self._payload_bytes(chunk_id, offset, declared)
            is_plausible = self._is_plausible(at, chunk_id, offset + declared)
            yield ChunkHeader(chunk_id, offset, declared, size, self._container, is_plausible)
            if chunk_id == b"ds64" and not self._sizes64:
                self._read_ds64(offset, size)
            at = self._next_header(offset + (size if chunk_id == b"data" else declared))
            if chunk_id == b"LIST" and self._rank(at) < _LIKELY:
                at = self._find_in_list_end(offset, offset + declared) or at

    def _enter_next_wav(self, at: int) -> bool:
        following = container_at(self._source, at)
        if following is None or following.kind != self._container.kind:
            return False
        self._container, self._sizes64 = following, {}
        return True

    def _is_plausible(self, at: int, chunk_id: bytes, end: int) -> bool:
        if container_at(self._source, at):  # of another kind
            return False
        if self._container.name == "W64":  # an unknown GUID looks like anything
            return is_printable(chunk_id) or end <= self._source.size_bytes
        return self._rank(at) >= _LIKELY

    def _peek(self, at: int) -> tuple[bytes, int] | None:
        """Return the id and the declared size of the chunk at `at`. The id of a GUID is its first four bytes."""
        raw = self._source.read(at, self._container.header_bytes)
        if len(raw) < self._container.header_bytes:
            return None
        if self._container.name == "W64":
            # W64 sizes include the header. Unknown GUIDs get an id of zeros.
            chunk_id = raw[:4] if raw[4:16] in W64_TAILS else bytes(4)
            return chunk_id, max(0, int.from_bytes(raw[16:], "little") - 24)
        chunk_id, size = struct.unpack(">4sI" if self._container.big_endian else "<4sI", raw)
        return chunk_id, self._size64(chunk_id, size)

    def _size64(self, chunk_id: bytes, size32: int) -> int:
        """Return the size from `ds64` if the 32-bit size is only a placeholder.

        Placeholders are 0xFFFFFFFF and, for the data, 0 and the low 32 bits of the 64-bit size.
        """
        size64 = self._sizes64.get(chunk_id, size32)
        is_placeholder = size32 == 0xFFFFFFFF or (
            chunk_id == b"data" and size32 in (0, size64 & 0xFFFFFFFF)
        )
        return size64 if is_placeholder else size32

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
        """Return the number of bytes of samples: 0 if the data is a WAV itself, which the walk enters next.

        A declared size of 0 followed by chunks means empty data. A size that a streaming writer left unset, or one
        beyond the end of the file, means all bytes to the end or to another WAV. A plain RIFF declares data of 4 GiB
        or more modulo 2**32: if no chunk follows the declared end, every whole 4 GiB that is left belongs to the data.
        """
        if _has_wav_at(self._source, offset, self._container):
            return 0
        if declared > present:
            return self._bytes_to_next_wav(offset, present)
        if declared == 0:
            return 0 if self._chunks_follow(offset) else self._bytes_to_next_wav(offset, present)
        if self._rank(self._next_header(offset + declared)):
            return declared
        if is_streaming_size(declared):
            return self._bytes_to_next_wav(offset, present)
        return declared + ((present - declared) >> 32 << 32)

    def _bytes_to_next_wav(self, offset: int, present: int) -> int:
        """Return `present`, or less if another WAV is among these bytes: streams may be joined too."""
        following = self._source.find_wav(offset)
        return present if following is None else following - offset

    def _chunks_follow(self, at: int) -> bool:
        """Return True if chunks start at `at`: their headers lead to a known id or exactly to the end."""
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
            at = self._next_header(end)
        return True

    def _next_header(self, end: int) -> int:
        """Return the offset of the header after a chunk that ends at `end`, with or without its pad byte."""
        padded = end + (self._container.start - end) % self._container.alignment
        return end if self._rank(end) > self._rank(padded) else padded

    def _rank(self, at: int) -> int:
        """Rank how much the bytes at `at` look like a chunk header."""
        peeked = self._peek(at)
        if not peeked:
            return _UNLIKELY
        chunk_id, declared = peeked
        if chunk_id in _KNOWN_IDS:
            return _KNOWN
        if not is_printable(chunk_id):
            return _UNLIKELY
        end = at + self._container.header_bytes + declared
        return _LIKELY if self._is_plausible_end(end) else _PRINTABLE

    def _is_plausible_end(self, end: int) -> bool:
        """Return True if the end of the file or a printable id follows `end`, directly or after a pad byte."""
        for at in (end, end + 1):
            peeked = self._peek(at)
            if at == self._source.size_bytes or (peeked and is_printable(peeked[0])):
                return True
        return False

    def _find_in_list_end(self, offset: int, end: int) -> int | None:
        """Return the offset of a known chunk that starts in the last bytes of a LIST, which declares too many."""
        for at in range(max(offset, end - _MAX_LIST_EXCESS_BYTES), end):
            peeked = self._peek(at)
            if peeked and peeked[0] in _KNOWN_IDS:
                payload_end = at + self._container.header_bytes + peeked[1]
                if end < payload_end <= self._source.size_bytes:
                    return at
        return None
