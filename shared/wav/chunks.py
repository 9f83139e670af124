"""The chunks of a WAV: walks over their headers.

In: a seekable file, complete or still growing, and its `Container`. Out: a `ChunkHeader` for each chunk in file order.
Reads at most 40 bytes for a header, and no payload except that of `ds64` and, if its size is unset or wrong, the data.
Raises nothing.

Sources: RIFF and RIFX: Microsoft/IBM "Multimedia Programming Interface and Data Specifications 1.0"; W64: Sony
Pictures Digital, "Sony Wave64". `ds64.py` names those of RF64 and BW64.

Real files break these standards. The walk ignores the RIFF size. It finds the next chunk where a writer forgot a pad
byte and where a LIST declares a few bytes too many (a chunk starts inside its end). `ChunkWalk._data_bytes` says how
many bytes belong to data whose size is unset or wrong.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from shared.wav.container import W64_TAILS, Container, Source, container_at, container_inside
from shared.wav.ds64 import MAX_DS64_BYTES, choose_size, read_sizes
from shared.wav.stale_header import skip_stale_header
from shared.wav.streaming import is_streaming_size

_MAX_FOLLOWING = 100  # this many headers in a row cannot be random bytes
_MAX_LIST_EXCESS_BYTES = 16
_SEARCHED_END_BYTES, _MAX_CHECKED = 1 << 20, 10_000
_FINAL_CHUNK = re.compile(rb"LIST|bext|iXML|axml|cue |smpl|inst|id3 |ID3 |PEAK|cart|_PMX|JUNK|fact")
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
    skipped: int = 0
    """The bytes of an old header before the payload of a data chunk."""


def holds_wav(source: Source, data: ChunkHeader) -> bool:
    """Return True if the data is a WAV of the same kind, which the walk enters next."""
    return container_inside(source, data.offset, data.container) is not None


def is_printable(chunk_id: bytes) -> bool:
    return all(0x20 <= byte < 0x7F for byte in chunk_id) and chunk_id != b"    "


class ChunkWalk:
    """Iterates over the complete chunk headers. A `ds64` chunk sets the sizes of the chunks after it.

    If another WAV of the same byte order follows the first one, the walk continues with its chunks. In a file that
    `is_growing`, the end of the data is not searched, because it may not have arrived.
    """

    def __init__(self, source: Source, container: Container, *, is_growing: bool = False) -> None:
        self._source = source
        self._container = container
        self._is_growing = is_growing
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
            payload_at, size = offset, min(declared, self._source.size_bytes - offset)
            if chunk_id == b"data":
                declared = self._declared_data(offset, declared)
                if not self._is_growing:
                    offset, declared = skip_stale_header(
                        self._source, offset, declared, big_endian=self._container.big_endian
                    )
                size = self._data_bytes(offset, declared, self._source.size_bytes - offset)
            is_plausible = self._is_plausible(at, chunk_id, offset + declared)
            place = offset, declared, size, self._container
            yield ChunkHeader(chunk_id, *place, is_plausible, skipped=offset - payload_at)
            if chunk_id == b"ds64" and not self._sizes64:
                payload = self._source.read(offset, min(size, MAX_DS64_BYTES))
                self._sizes64 = read_sizes(payload, big_endian=self._container.big_endian)
            at = self._next_header(offset + (size if chunk_id == b"data" else declared))
            if chunk_id == b"LIST" and self._rank(at) < _LIKELY:
                at = self._find_in_list_end(offset, offset + declared) or at

    def _enter_next_wav(self, at: int) -> bool:
        following = container_inside(self._source, at, self._container)
        if following is None:
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
        return chunk_id, choose_size(self._sizes64, chunk_id, size)

    def _declared_data(self, offset: int, declared: int) -> int:
        """Return the size from `ds64` if only that one can be right.

        The `declared` size can be right if a chunk or the end of the file follows the data, and the one from `ds64` if
        the file has all of its bytes.
        """
        size64 = self._sizes64.get(b"data", declared)
        if declared == size64 or offset + size64 > self._source.size_bytes:
            return declared
        end = self._next_header(offset + declared)
        can_be_right = self._is_end(end) or self._rank(end) >= _LIKELY
        return declared if can_be_right else size64

    def _data_bytes(self, offset: int, declared: int, present: int) -> int:
        """Return the number of bytes of samples: 0 if the data is a WAV itself, which the walk enters next.

        A declared size of 0 followed by chunks means empty data. If a streaming writer left the size unset, or if the
        size goes beyond the end of the file, the data ends at the next WAV, at the file's last chunks, or at the end of
        the file. A plain RIFF declares data of 4 GiB or more modulo 2**32: if no chunk follows the declared end, every
        whole 4 GiB that is left belongs to the data.
        """
        if container_inside(self._source, offset, self._container):
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
        """Return `present`, or less if another WAV or the file's last chunks are among these bytes."""
        if self._is_growing:
            return present
        following = self._source.find_wav(offset)
        if following is not None:
            return following - offset  # streams may be joined too
        return (self._find_last_chunks(offset) or offset + present) - offset

    def _find_last_chunks(self, start: int) -> int | None:
        """Return the offset of the chunks at the end of the file: their headers lead exactly to the end."""
        start = max(start, self._source.size_bytes - _SEARCHED_END_BYTES)
        if self._container.header_bytes != 8:
            return None
        checked: set[int] = set()
        matches = _FINAL_CHUNK.finditer(self._source.read(start, _SEARCHED_END_BYTES))
        places = (start + match.start() for match in matches if len(checked) < _MAX_CHECKED)
        return next((at for at in places if self._lead_to_end(at, checked)), None)

    def _lead_to_end(self, at: int, checked: set[int]) -> bool:
        """Return False at a place that was checked before: its headers did not lead to the end."""
        while at not in checked and (peeked := self._peek(at)):
            checked.add(at)
            chunk_id, declared = peeked
            end = at + self._container.header_bytes + declared
            if not is_printable(chunk_id) or end > self._source.size_bytes:
                return False
            at = self._next_header(end)
        return self._is_end(at)

    def _is_end(self, at: int) -> bool:
        """Return True at the end of the file, where the last pad byte may be missing."""
        return at in (self._source.size_bytes, self._source.size_bytes + 1)

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
        return end if padded > end and self._rank(end) > self._rank(padded) else padded

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
