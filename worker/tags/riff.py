"""Reads RIFF's own metadata as (kind, text) pairs. A kind is the ID3v2.4 frame for such a text: TIT2, TXXX:keywords.

In: the payload of a LIST/INFO, `bext` or `cart` chunk, and the byte order ("<", or ">" for RIFX). Out: pairs,
in the order of the chunk; the text may be empty. Raises nothing, even for broken input. Time is linear.
Sources: Microsoft/IBM "Multimedia Programming Interface and Data Specifications 1.0" (INFO), EBU Tech 3285 v2
(bext), AES46-2002 (cart). The TXXX names of bext fields are the same as in ffmpeg.
"""

import re
import struct
from collections.abc import Iterator

from worker.tags.charset import FileText

Pair = tuple[str, str]

COMMENT = "COMM:"
"""The comment without a description: players show this one."""
_INFO_KINDS = {
    b"IART": "TPE1",
    b"ICMT": COMMENT,
    b"ICOP": "TCOP",
    b"ICRD": "TDRC",
    b"IGNR": "TCON",
    b"ILNG": "TLAN",
    b"IMED": "TMED",
    b"IMUS": "TCOM",
    b"INAM": "TIT2",
    b"IPRD": "TALB",
    b"IPRT": "TRCK",
    b"ISFT": "TSSE",
    b"ITCH": "TENC",
    b"ITRK": "TRCK",
    b"IWRI": "TEXT",
    b"TRCK": "TRCK",
    b"IARL": "TXXX:archival_location",
    b"ICMS": "TXXX:commissioned_by",
    b"IENG": "TXXX:engineer",
    b"IKEY": "TXXX:keywords",
    b"IPRO": "TXXX:producer",
    b"ISBJ": "TXXX:subject",
    b"ISRC": "TXXX:source",  # the supplier of the recording, by mistake also its code
    b"ISRF": "TXXX:source_form",
}
_TRACK = re.compile(r"([0-9]+)(?:\s*(?:/|of)\s*([0-9]+))?", re.IGNORECASE)
_LANGUAGE = re.compile(r"[A-Za-z]{3}")
_RECORDING_CODE = re.compile(r"[A-Z]{2}-?[A-Z0-9]{3}-?[0-9]{2}-?[0-9]{5}")
_BEXT_TEXTS = "256s32s32s10s8s"
_BEXT_HEAD_BYTES = 602
_UMID = slice(348, 412)
_UNSET_LOUDNESS = 0x7FFF
_LOUDNESS = (
    "loudness_value",
    "loudness_range",
    "max_true_peak_level",
    "max_momentary_loudness",
    "max_short_term_loudness",
)
_CART_TEXTS = "4x64s64s64s64s64s64s64s10s8s10s8s64s64s64s"
_CART_KINDS = (
    *("TIT2", "TPE1", "TXXX:cut_id", "TXXX:client_id", "TXXX:category", "TXXX:classification"),
    *("TXXX:out_cue", "TXXX:start_date", "TXXX:start_time", "TXXX:end_date", "TXXX:end_time"),
    *("TXXX:producer_app_id", "TXXX:producer_app_version", "TXXX:user_defined"),
)
_CART_LEVEL_AT = 680
_CART_TIMERS, _CART_URL = slice(684, 748), slice(1024, 2048)
_CART_HEAD_BYTES = 2048
_ITEM_ID = re.compile(rb"[A-Za-z][A-Za-z0-9]{2}[A-Za-z0-9 ]")
_DATE = re.compile(
    r"(?!0000)([0-9]{4})(?:[-_:/. ]?(0[1-9]|1[0-2])(?:[-_:/. ]?(0[1-9]|[12][0-9]|3[01])"
    r"(?:[T ]([01][0-9]|2[0-3])[-_:. ]?([0-5][0-9])(?:[-_:. ]?([0-5][0-9]))?)?)?)?(?![0-9])"
)
_YEAR = re.compile(r"(?<![0-9])(?:19|20)[0-9]{2}(?![0-9])")


def items(payload: bytes, order: str) -> Iterator[tuple[bytes, bytes]]:
    """Yield the id and data of each item after a LIST's type."""
    for item_id, start, end in _walk_items(payload, order):
        yield item_id, payload[start:end]


def count_unread(payload: bytes, order: str) -> int:
    """Return how many bytes of a LIST's items are missing or follow them. Padding does not count."""
    end = max((end for _, _, end in _walk_items(payload, order)), default=4)
    return max(end - len(payload), len(payload[end:].lstrip(b"\0 ")))


def _walk_items(payload: bytes, order: str) -> Iterator[tuple[bytes, int, int]]:
    """Yield the id of each item and its place. Writers pad items of odd size by 0, 1 or more bytes."""
    at = 4
    while head := _ITEM_ID.search(payload, at, at + 8):
        start = head.end() + 4
        if start > len(payload):
            return
        (size,) = struct.unpack_from(order + "I", payload, start - 4)
        at = start + size
        yield head[0], start, at


def info_pairs(payload: bytes, order: str, texts: FileText) -> Iterator[Pair]:
    for item_id, data in items(payload, order):
        name = item_id.upper()
        kind = _INFO_KINDS.get(name, f"TXXX:{name.decode()}")
        text = texts.field(data)
        if kind == "TDRC":
            yield from _date_pairs(text)
            continue
        if kind == "TRCK":
            kind, text = _track_pair(text)
        elif kind == "TLAN" and not _LANGUAGE.fullmatch(text):
            kind = "TXXX:language"
        elif name == b"ISRC" and _RECORDING_CODE.fullmatch(text):
            kind = "TSRC"
        yield kind, text


def _date_pairs(text: str) -> Iterator[Pair]:
    """Yield the date, and also the text if the text contains more."""
    stamp = timestamp(text)
    yield "TDRC", stamp
    if text and not is_timestamp(text):
        yield "TXXX:date", text


def _track_pair(text: str) -> Pair:
    """Format as ID3v2.4 does: the number and, after a slash, the total."""
    track = _TRACK.fullmatch(text)
    return ("TRCK", "/".join(filter(None, track.groups()))) if track else ("TXXX:track", text)


def bext_pairs(payload: bytes, order: str, texts: FileText) -> Iterator[Pair]:
    """Yield the fields of a `bext` chunk. A chunk of zeros was only reserved: it gives nothing."""
    if not payload.strip(b"\0"):
        return
    head = payload[:_BEXT_HEAD_BYTES].ljust(_BEXT_HEAD_BYTES, b"\0")
    fields = struct.unpack_from(_BEXT_TEXTS, head)
    samples_low, samples_high, version = struct.unpack_from(order + "IIH", head, 338)
    loudness = struct.unpack_from(order + "5h", head, 412)
    description, originator, reference, date, time = map(texts.field, fields)
    yield COMMENT, description
    yield "TXXX:description", description
    yield "TENC", originator
    yield "TXXX:originator_reference", reference
    yield "TDRC", timestamp(f"{date} {time}")
    yield "TXXX:origination_date", date
    yield "TXXX:origination_time", time
    yield "TXXX:time_reference", str(samples_high << 32 | samples_low)
    yield "TXXX:coding_history", texts.field(payload[_BEXT_HEAD_BYTES:])
    if version >= 1 and any(head[_UMID]):
        yield "TXXX:umid", f"0x{head[_UMID].hex().upper()}"
    if version >= 2 and any(loudness):
        yield from _loudness_pairs(loudness)


def _loudness_pairs(hundredths: tuple[int, ...]) -> Iterator[Pair]:
    for name, value in zip(_LOUDNESS, hundredths, strict=True):
        if value != _UNSET_LOUDNESS:
            yield f"TXXX:{name}", f"{value / 100:.2f}"


def cart_pairs(payload: bytes, order: str, texts: FileText) -> Iterator[Pair]:
    """Yield the fields of AES46's `cart` chunk."""
    if not payload.strip(b"\0"):
        return
    head = payload[:_CART_HEAD_BYTES].ljust(_CART_HEAD_BYTES, b"\0")
    fields = struct.unpack_from(_CART_TEXTS, head)
    for kind, field in zip(_CART_KINDS, fields, strict=True):
        yield kind, texts.field(field)
    if level := struct.unpack_from(order + "i", head, _CART_LEVEL_AT)[0]:
        yield "TXXX:level_reference", str(level)
    for usage, sample in struct.iter_unpack(order + "4sI", head[_CART_TIMERS]):
        if usage.strip(b"\0 "):
            yield f"TXXX:timer_{texts.field(usage)}", str(sample)
    yield "TXXX:url", texts.field(head[_CART_URL])
    yield "TXXX:tag_text", texts.field(payload[_CART_HEAD_BYTES:])


def is_timestamp(text: str) -> bool:
    """Return True if `timestamp` loses nothing of the text."""
    return bool(_DATE.fullmatch(text))


def timestamp(text: str) -> str:
    """Return a date in the form of ID3v2.4: only the year if the rest is unclear, "" if there is none."""
    if match := _DATE.match(text):
        date = "-".join(filter(None, match.groups()[:3]))
        time = ":".join(filter(None, match.groups()[3:]))
        return f"{date}T{time}" if time else date
    year = _YEAR.search(text)
    return year[0] if year else ""
