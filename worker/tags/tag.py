"""A WAV's metadata -> the ID3v2.4 tag that stands in front of its MP3.

In: the WAV, where its metadata chunks stand, its length and rate, and what the user asked for. Out: the bytes of a
complete tag without padding, which names at least the encoder. The same input gives the same bytes.
ID3v2.4 because only it holds UTF-8, and a date and its time in one frame.

Where sources disagree: the user's words, then an `id3 ` chunk, LIST/INFO, `bext`, iXML; within one, the first.
Errors: none of its own, whatever the bytes are; OSError if the file cannot be read. Time is linear; memory is about
four times the metadata, and below 100 MB whatever the bytes are.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from itertools import chain, islice
from typing import BinaryIO

from mutagen.id3 import COMM, ID3, TCON, TXXX, Encoding, Frame, Frames

from shared.wav import Chunk
from worker.tags import id3
from worker.tags.chapters import chapters
from worker.tags.riff import COMMENT, Pair, bext_pairs, info_pairs, ixml_pairs, timestamp
from worker.tags.text import clean

MAX_METADATA_BYTES = 16 * 2**20  # of all chunks that are read; one that would exceed it is left out
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
    """A complete ID3v2.4 tag.

    `samples` per channel; `big_endian` is the container's byte order (RIFX); `overrides` may name title, artist,
    album, track, year, genre and comment, and an empty one removes what the WAV says.
    """
    # what was read is freed before mutagen makes its copies
    tag = _collected(_payloads(file, chunks), ">" if big_endian else "<", samples, sample_rate_hz)
    _override(tag, overrides)
    _drop_unknown_genres(tag)
    if not tag.getall("TSSE"):
        tag.add(
            _frame("TSSE", f"wav2mp3, {encoder}")
        )  # players and checkers miss a tag where there is none
    return _written(tag)


def _collected(payloads: Payloads, order: str, samples: int, sample_rate_hz: int) -> ID3:
    tag = ID3()
    for payload in payloads[b"ID3"]:
        id3.add_frames(tag, payload)
    for kind, text in islice(_pairs(payloads, order), MAX_PAIRS):
        if text and not tag.getall(kind):
            tag.add(_frame(kind, text))
    if payloads[b"CUE"] and not tag.getall("CHAP"):
        cue, adtl = payloads[b"CUE"][0], payloads[b"LISTADTL"]
        for frame in chapters(cue, adtl, order, samples=samples, sample_rate_hz=sample_rate_hz):
            tag.add(frame)
    return tag


def _payloads(file: BinaryIO, chunks: Sequence[Chunk]) -> Payloads:
    """By id, a LIST's with its type. Ids count in any case: W64 writes them all in lower case."""
    payloads: Payloads = defaultdict(list)
    left_bytes = MAX_METADATA_BYTES
    for chunk in chunks:
        kind = chunk.id.upper().rstrip(b" \0")
        if kind in _READ and chunk.size <= left_bytes:
            left_bytes -= chunk.size
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


def _frame(kind: str, text: str) -> Frame:
    name, _, description = kind.partition(":")
    if name == "COMM":
        # players look for "eng", whatever the language is
        return COMM(encoding=Encoding.UTF8, lang="eng", desc=description, text=[text])
    if name == "TXXX":
        return TXXX(encoding=Encoding.UTF8, desc=description, text=[text])
    return Frames[name](encoding=Encoding.UTF8, text=[text])


def _override(tag: ID3, overrides: Mapping[str, str]) -> None:
    for name, value in overrides.items():
        kind = _OVERRIDES[name]
        text = clean(value)
        tag.delall(kind.partition(":")[0])
        if kind == COMMENT:
            tag.delall("TXXX:comment")  # where ffmpeg writes it, and reads it
        if text:
            tag.add(_frame(kind, timestamp(text) if kind == "TDRC" else text))


def _drop_unknown_genres(tag: ID3) -> None:
    """eyeD3 refuses the whole MP3 for the number of a genre that does not exist, such as 255 for "none"."""
    for frame in tag.getall("TCON"):
        frame.text = [text for text in map(_known_genre, frame.text) if text]
        if not frame.text:
            tag.delall("TCON")


def _known_genre(text: str) -> str:
    """The text without the number of a genre that does not exist."""
    match = _GENRE.fullmatch(text)
    if not match:
        return text
    number = (match[1] or match[2]).lstrip("0")
    return text if len(number) <= 3 and int(number or 0) < len(TCON.GENRES) else match[3] or ""


def _written(tag: ID3) -> bytes:
    out = BytesIO()
    tag.save(out, padding=lambda _info: 0)
    return out.getvalue()
