"""Builds RIFF metadata chunks, and reads the tag that is made of them with mutagen."""

import struct
from collections.abc import Mapping
from io import BytesIO

from mutagen.id3 import ID3, Frame

from shared.wav import Chunk
from worker.tags.tag import Audio, Tag, build_tag

RATE_HZ = 44_100
SAMPLES = 10 * RATE_HZ

RiffChunk = tuple[bytes, bytes]


def made_tag(
    *chunks: RiffChunk,
    overrides: Mapping[str, str] | None = None,
    big_endian: bool = False,
    samples: int = SAMPLES,
    charset: str = "",
    version: str = "2.4",
) -> Tag:
    """Return the tag of a file with these chunks, each after a header as in a WAV."""
    file, found = BytesIO(), []
    for chunk_id, payload in chunks:
        file.write(chunk_id + b"size")
        found.append(Chunk(chunk_id, file.tell(), len(payload)))
        file.write(payload)
    audio = Audio(samples, RATE_HZ, big_endian)
    return build_tag(
        file, found, audio, overrides or {}, "LAME4.1a", charset=charset, version=version
    )


def tag_bytes(
    *chunks: RiffChunk,
    overrides: Mapping[str, str] | None = None,
    big_endian: bool = False,
    samples: int = SAMPLES,
) -> bytes:
    return made_tag(*chunks, overrides=overrides, big_endian=big_endian, samples=samples).data


def warnings(*chunks: RiffChunk, samples: int = SAMPLES) -> list[str]:
    return made_tag(*chunks, samples=samples).warnings


def parsed(tag: bytes, *, translate: bool = True) -> ID3:
    return ID3(BytesIO(tag), translate=translate)


def read(
    *chunks: RiffChunk, overrides: Mapping[str, str] | None = None, big_endian: bool = False
) -> ID3:
    return parsed(tag_bytes(*chunks, overrides=overrides, big_endian=big_endian))


def riff_list(kind: bytes, entries: list[tuple[bytes, bytes]], order: str = "<") -> RiffChunk:
    body = b"".join(
        name + struct.pack(order + "I", len(data)) + data + b"\0" * (len(data) % 2)
        for name, data in entries
    )
    return b"LIST", kind + body


def info(order: str = "<", **fields: bytes) -> RiffChunk:
    return riff_list(b"INFO", [(name.encode(), data) for name, data in fields.items()], order)


def bext(
    description: bytes = b"",
    originator: bytes = b"",
    date: bytes = b"",
    time: bytes = b"",
    *,
    time_reference: int = 0,
    version: int = 1,
    loudness: tuple[int, ...] = (0, 0, 0, 0, 0),
    history: bytes = b"",
    order: str = "<",
) -> RiffChunk:
    head = struct.pack("256s32s32s10s8s", description, originator, b"REF-1", date, time)
    high, low = divmod(time_reference, 2**32)
    numbers = struct.pack(order + "IIH64x5h", low, high, version, *loudness)
    return b"bext", (head + numbers).ljust(602, b"\0") + history


def id3(*frames: Frame, version: int = 4) -> RiffChunk:
    tag, out = ID3(), BytesIO()
    for frame in frames:
        tag.add(frame)
    tag.save(out, v2_version=version, v23_sep=None)
    return b"id3 ", out.getvalue()


def raw_id3(*frames: bytes, version: int = 4, flags: int = 0) -> RiffChunk:
    body = b"".join(frames)
    size = bytes(len(body) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"id3 ", b"ID3" + bytes([version, 0, flags]) + size + body


def raw_frame(name: bytes, data: bytes, flags: int = 0) -> bytes:
    """Build a frame of ID3v2.3, or of 2.4 if the data is shorter than 128 bytes."""
    return name + struct.pack(">IH", len(data), flags) + data


def cue(*points: tuple[int, int], order: str = "<") -> RiffChunk:
    table = b"".join(
        struct.pack(order + "II4sIII", cue_id, position, b"data", 0, 0, position)
        for cue_id, position in points
    )
    return b"cue ", struct.pack(order + "I", len(points)) + table


def labels(texts: Mapping[int, bytes], order: str = "<") -> RiffChunk:
    entries = [
        (b"labl", struct.pack(order + "I", cue_id) + text + b"\0") for cue_id, text in texts.items()
    ]
    return riff_list(b"adtl", entries, order)


def regions(lengths: Mapping[int, int]) -> RiffChunk:
    entries = [
        (b"ltxt", struct.pack("<II4s4H", cue_id, length, b"rgn ", 0, 0, 0, 0))
        for cue_id, length in lengths.items()
    ]
    return riff_list(b"adtl", entries)
