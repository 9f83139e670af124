"""Converts a WAV's metadata to the ID3v2 tag at the start of its MP3.

In: the WAV, the places of its metadata chunks, its length and rate, and the user's overrides. Out: the bytes of a
complete tag without padding, which names at least the encoder, and sentences for the user about everything that was
left out or guessed. The same input gives the same bytes. The version is 2.4, because only 2.4 has UTF-8, and a date
with its time in one frame. The user may choose 2.3, for old players.

If sources disagree, the precedence is: the user's overrides, an `id3 ` chunk, LIST/INFO, `bext`, `cart`, iXML. Within
one source the first value counts. Raises OSError if the file cannot be read, and nothing for broken input. Time is
linear. Memory is about four times the metadata, always below 100 MB.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import chain, islice
from typing import BinaryIO

from mutagen.id3 import COMM, ID3, TXXX, Frame, Frames
from mutagen.id3 import Encoding as Charset

from shared.wav import Chunk
from worker.tags import id3_chunk, left_out
from worker.tags.chapters import chapters
from worker.tags.charset import FileText
from worker.tags.genres import drop_unknown_genres
from worker.tags.ixml import decode_xml, slate_pairs
from worker.tags.old_version import convert_to_v23
from worker.tags.riff import (
    COMMENT,
    Pair,
    bext_pairs,
    cart_pairs,
    info_pairs,
    is_timestamp,
    timestamp,
)
from worker.tags.text import clean, code_page_name

MAX_METADATA_BYTES = 16 * 2**20
"""The limit for all chunks together. A chunk that would exceed it is left out."""
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
_READ = (b"LIST", b"BEXT", b"CART", b"ID3", b"CUE", b"CSET", b"IXML")

Payloads = defaultdict[bytes, list[bytes]]


@dataclass(frozen=True, slots=True)
class Tag:
    data: bytes
    warnings: list[str]
    """Sentences for the user."""


@dataclass(frozen=True, slots=True)
class Audio:
    """The properties of a WAV that its metadata depends on. `samples` are per channel."""

    samples: int
    sample_rate_hz: int
    big_endian: bool
    """The byte order of the container (RIFX)."""


def build_tag(
    file: BinaryIO,
    chunks: Sequence[Chunk],
    audio: Audio,
    overrides: Mapping[str, str],
    encoder: str,
    *,
    charset: str = "",
    version: str = "2.4",
) -> Tag:
    """Return a complete ID3v2 tag.

    `overrides` may have title, artist, album, track, year, genre and comment; an empty value removes the WAV's.
    `charset` is the charset that the user named for the WAV's text.
    """
    warnings: list[str] = []
    tag = _decode(_payloads(file, chunks, warnings), audio, charset, warnings)
    warnings += _override(tag, overrides)
    warnings += drop_unknown_genres(tag)
    if not tag.getall("TSSE"):
        # Some players and checkers report a missing tag.
        tag.add(_id3_frame("TSSE", f"wav2mp3, {encoder}"))
    if version == "2.3":
        warnings += convert_to_v23(tag)
    return Tag(_serialize(tag, version), warnings)


def _decode(payloads: Payloads, audio: Audio, charset: str, warnings: list[str]) -> ID3:
    order = ">" if audio.big_endian else "<"
    cset = b"".join(payloads[b"CSET"])[:2]
    code_page = int.from_bytes(cset, "big" if audio.big_endian else "little")
    texts = FileText(requested=charset, declared=code_page_name(code_page))
    tag, found = _collect(payloads, order, audio, texts)
    if texts.guess():
        tag, found = _collect(payloads, order, audio, texts)
    warnings += [*found, *left_out.describe_lists(payloads, order), *texts.warnings()]
    return tag


def _collect(
    payloads: Payloads, order: str, audio: Audio, texts: FileText
) -> tuple[ID3, list[str]]:
    tag, warnings = ID3(), []
    for payload in payloads[b"ID3"]:
        warnings += id3_chunk.add_frames(tag, payload, texts)
    ixmls = [decode_xml(payload, texts) for payload in payloads[b"IXML"]]
    pairs = _pairs(payloads, ixmls, order, texts)
    lost: list[Pair] = []
    for kind, text in islice(pairs, MAX_PAIRS):
        if text and tag.getall(kind):
            lost.append((kind, text))
        elif text:
            tag.add(_id3_frame(kind, text))
            warnings += left_out.describe_date(kind, text)
    warnings += left_out.describe_texts(
        tag, lost, beyond_limit=sum(bool(text) for _, text in pairs)
    )
    warnings += left_out.describe_ixml(payloads[b"IXML"], ixmls)
    if tag.getall("CHAP"):
        return tag, warnings + left_out.describe_cues(payloads[b"CUE"])
    frames, chapter_warnings = chapters(
        payloads[b"CUE"],
        payloads[b"LISTADTL"],
        order,
        texts,
        samples=audio.samples,
        sample_rate_hz=audio.sample_rate_hz,
    )
    for frame in frames:
        tag.add(frame)
    return tag, warnings + chapter_warnings


def _payloads(file: BinaryIO, chunks: Sequence[Chunk], warnings: list[str]) -> Payloads:
    """Read the payloads by id, those of a LIST by id and type. Ids are upper case here; W64 has them in lower case."""
    payloads: Payloads = defaultdict(list)
    free_bytes = MAX_METADATA_BYTES
    for chunk in chunks:
        kind = chunk.id.upper().rstrip(b" \0")
        if kind in _READ and chunk.size > free_bytes:
            warnings.append(
                f"The {kind.decode()} chunk of {chunk.size} bytes was left out, "
                f"because the metadata may have at most {MAX_METADATA_BYTES} bytes."
            )
        elif kind in _READ:
            free_bytes -= chunk.size
            file.seek(chunk.offset)
            payload = file.read(chunk.size)
            if kind == b"LIST" and not any(payload):
                continue  # some recorders reserve space like that
            payloads[kind + payload[:4].upper() if kind == b"LIST" else kind].append(payload)
    warnings += left_out.describe_chunks(chunks, payloads, _READ)
    return payloads


def _pairs(payloads: Payloads, ixmls: Sequence[str], order: str, texts: FileText) -> Iterator[Pair]:
    return chain(
        chain.from_iterable(info_pairs(info, order, texts) for info in payloads[b"LISTINFO"]),
        chain.from_iterable(bext_pairs(bext, order, texts) for bext in payloads[b"BEXT"]),
        chain.from_iterable(cart_pairs(cart, order, texts) for cart in payloads[b"CART"]),
        chain.from_iterable(slate_pairs(ixml, texts) for ixml in ixmls),
    )


def _id3_frame(kind: str, text: str) -> Frame:
    name, _, description = kind.partition(":")
    if name == "COMM":
        # Players look only for the language "eng".
        return COMM(encoding=Charset.UTF8, lang="eng", desc=description, text=[text])
    if name == "TXXX":
        return TXXX(encoding=Charset.UTF8, desc=description, text=[text])
    return Frames[name](encoding=Charset.UTF8, text=[text])


def _override(tag: ID3, overrides: Mapping[str, str]) -> list[str]:
    """Set the values of the user. Return sentences about several comments, and about a year that was cut."""
    warnings = []
    for name, value in overrides.items():
        kind, text = _OVERRIDES[name], clean(value)
        replaced = tag.getall(kind)
        tag.delall(kind)
        if kind == COMMENT:
            replaced += tag.getall("TXXX:comment")
            tag.delall("TXXX:comment")  # ffmpeg writes and reads the comment there
        if len({str(frame) for frame in replaced}) > 1:
            warnings.append(
                f"The WAV has {len(replaced)} comments without a description. The comment of the upload replaced all."
            )
        if kind == "TDRC" and text and not is_timestamp(text):
            warnings.append(_describe_year(text))
        if text:
            tag.add(_id3_frame(kind, timestamp(text) if kind == "TDRC" else text))
    return warnings


def _describe_year(text: str) -> str:
    date = timestamp(text)
    if not date:
        return f"The year {text!r} is not a date and was left out. Send it as YYYY or YYYY-MM-DD."
    return f"The year {text!r} was shortened to the date in it, {date!r}."


def _serialize(tag: ID3, version: str) -> bytes:
    out = BytesIO()
    tag.save(out, v2_version=int(version[-1]), padding=lambda _info: 0)
    return out.getvalue()
