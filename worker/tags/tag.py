"""Converts a WAV's metadata to the ID3v2.4 tag at the start of its MP3.

In: the WAV, the places of its metadata chunks, its length and rate, and the user's overrides. Out: the bytes of a
complete tag without padding, which names at least the encoder. The same input gives the same bytes.
The version is 2.4, because only that has UTF-8, and a date with its time in one frame.

If sources disagree, the precedence is: the user's overrides, an `id3 ` chunk, LIST/INFO, `bext`, iXML. Within one
source the first value counts. Raises OSError if the file cannot be read, and nothing for broken input. Time is linear.
Memory is about four times the metadata, always below 100 MB.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from itertools import chain, islice
from typing import BinaryIO

from mutagen.id3 import COMM, ID3, TCON, TXXX, Frame, Frames
from mutagen.id3 import Encoding as Charset

from shared.wav import Chunk
from worker.tags import id3
from worker.tags.chapters import chapters
from worker.tags.riff import COMMENT, Pair, bext_pairs, info_pairs, ixml_pairs, timestamp
from worker.tags.text import clean

MAX_METADATA_BYTES = 16 * 2**20
"""Of all chunks together. A chunk that would exceed it is left out."""
MAX_PAIRS = 1_000

_OVERRIDES = {
    "title": "TIT2",
    "artist": "TPE1",
    "album": "TALB",
    "track": "TRCK",
    "year": "TDRC",
    "genre": "TCON",
    "comment": COMMENT,
}
_GENRE = re.compile(r"([0-9]+)|\(([0-9]+)\)(.*)", re.DOTALL)
_READ = (b"LIST", b"BEXT", b"ID3", b"CUE", b"CSET", b"IXML")

Payloads = defaultdict[bytes, list[bytes]]


def read_tags(
    file: BinaryIO,
    chunks: Sequence[Chunk],
    *,
    samples: int,
    sample_rate_hz: int,
    big_endian: bool,
    overrides: Mapping[str, str],
    encoder: str,
) -> bytes:
    """Return a complete ID3v2.4 tag.

    `samples` are per channel. `big_endian` is the container's byte order (RIFX). `overrides` may have title, artist,
    album, track, year, genre and comment; an empty one removes the WAV's own value.
    """
    # The payloads are freed before mutagen makes its copies.
    tag = _collect(_payloads(file, chunks), ">" if big_endian else "<", samples, sample_rate_hz)
    _override(tag, overrides)
    _drop_unknown_genres(tag)
    if not tag.getall("TSSE"):
        # Some players and checkers report a missing tag.
        tag.add(_id3_frame("TSSE", f"wav2mp3, {encoder}"))
    return _serialize(tag)


def _collect(payloads: Payloads, order: str, samples: int, sample_rate_hz: int) -> ID3:
    tag = ID3()
    for payload in payloads[b"ID3"]:
        id3.add_frames(tag, payload)
    for kind, text in islice(_pairs(payloads, order), MAX_PAIRS):
        if text and not tag.getall(kind):
            tag.add(_id3_frame(kind, text))
    if payloads[b"CUE"] and not tag.getall("CHAP"):
        cue, adtl = payloads[b"CUE"][0], payloads[b"LISTADTL"]
        for frame in chapters(cue, adtl, order, samples=samples, sample_rate_hz=sample_rate_hz):
            tag.add(frame)
    return tag


def _payloads(file: BinaryIO, chunks: Sequence[Chunk]) -> Payloads:
    """Read the payloads by id, those of a LIST by id and type. Ids are upper case here; W64 has them in lower case."""
    payloads: Payloads = defaultdict(list)
    free_bytes = MAX_METADATA_BYTES
    for chunk in chunks:
        kind = chunk.id.upper().rstrip(b" \0")
        if kind in _READ and chunk.size <= free_bytes:
            free_bytes -= chunk.size
            file.seek(chunk.offset)
            payload = file.read(chunk.size)
            payloads[kind + payload[:4].upper() if kind == b"LIST" else kind].append(payload)
    return payloads


def _pairs(payloads: Payloads, order: str) -> Iterator[Pair]:
    code_page = int.from_bytes(b"".join(payloads[b"CSET"])[:2], "little" if order == "<" else "big")
    return chain(
        chain.from_iterable(info_pairs(info, order, code_page) for info in payloads[b"LISTINFO"]),
        chain.from_iterable(bext_pairs(bext, order) for bext in payloads[b"BEXT"]),
        chain.from_iterable(ixml_pairs(ixml) for ixml in payloads[b"IXML"]),
    )


def _id3_frame(kind: str, text: str) -> Frame:
    name, _, description = kind.partition(":")
    if name == "COMM":
        # Players look for "eng" alone.
        return COMM(encoding=Charset.UTF8, lang="eng", desc=description, text=[text])
    if name == "TXXX":
        return TXXX(encoding=Charset.UTF8, desc=description, text=[text])
    return Frames[name](encoding=Charset.UTF8, text=[text])


def _override(tag: ID3, overrides: Mapping[str, str]) -> None:
    for name, value in overrides.items():
        kind = _OVERRIDES[name]
        tag.delall(kind.partition(":")[0])
        if kind == COMMENT:
            tag.delall("TXXX:comment")  # ffmpeg writes and reads the comment there
        if text := clean(value):
            tag.add(_id3_frame(kind, timestamp(text) if kind == "TDRC" else text))


def _drop_unknown_genres(tag: ID3) -> None:
    """Drop numbers of genres that do not exist, such as 255 for "none": eyeD3 rejects an MP3 that has one."""
    for frame in tag.getall("TCON"):
        frame.text = [text for text in map(_known_genre, frame.text) if text]
        if not frame.text:
            tag.delall("TCON")


def _known_genre(text: str) -> str:
    """Return the text without a number of a genre that does not exist."""
    match = _GENRE.fullmatch(text)
    if not match:
        return text
    number = (match[1] or match[2]).lstrip("0")
    return text if len(number) <= 3 and int(number or 0) < len(TCON.GENRES) else match[3] or ""


def _serialize(tag: ID3) -> bytes:
    out = BytesIO()
    tag.save(out, padding=lambda _info: 0)
    return out.getvalue()
