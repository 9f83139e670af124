"""Converts cue points to ID3 chapters.

In: the payloads of `cue ` and LIST/adtl chunks, the byte order ("<", or ">" for RIFX), and the length of
the audio in samples per channel. Out: one CHAP frame for each chapter, in the order of time, and a CTOC frame that
lists them; then sentences for the user about cue points that were left out. A cue point without a label becomes
"Marker" and its number. Times are in milliseconds. Raises nothing, even for broken input.
Sources: Microsoft/IBM "Multimedia Programming Interface and Data Specifications 1.0", and its 1994 update for adtl;
ID3v2 Chapter Frame Addendum 1.0.
"""

import struct
from collections.abc import Iterator, Sequence
from itertools import pairwise

from mutagen.id3 import CHAP, CTOC, TIT2, CTOCFlags, Frame
from mutagen.id3 import Encoding as Charset

from worker.tags.charset import FileText
from worker.tags.riff import items

MAX_CUES = 10_000
MAX_CHAPTERS = 255
"""CTOC counts its entries in one byte."""
_LABELS = (b"labl", b"ltxt", b"note")
"""The items that can name a cue point, best first."""
_MAX_LABELS = MAX_CUES * len(_LABELS)
_LTXT_HEAD_BYTES = 20
_MAX_MS = 2**32 - 1


def chapters(
    cues: Sequence[bytes],
    adtl: Sequence[bytes],
    order: str,
    texts: FileText,
    *,
    samples: int,
    sample_rate_hz: int,
) -> tuple[list[Frame], list[str]]:
    labels, lengths = _labels(adtl, order, texts)
    titles: dict[int, tuple[str, int]] = {}
    points = [point for cue in cues for point in _cue_points(cue, order)]
    for cue_id, position in points:
        title = next(filter(None, (labels.get((kind, cue_id)) for kind in _LABELS)), "")
        # Of several cue points at one position, the first that has a label names the chapter.
        if position < samples and not titles.get(position, ("", 0))[0]:
            titles[position] = (title, lengths.get(cue_id, 0))
    starts = sorted(titles)[:MAX_CHAPTERS]
    frames = []
    for number, (start, following) in enumerate(pairwise([*starts, samples])):
        title, length = titles[start]
        title = title or f"Marker {number + 1}"
        end = min(start + length, following) if length else following
        frames.append(_chapter(number, title, _ms(start, sample_rate_hz), _ms(end, sample_rate_hz)))
    warnings = _left_out(cues, points, len(titles), samples)
    return ([*frames, _table_of_contents(len(frames))] if frames else []), warnings


def _left_out(
    cues: Sequence[bytes], points: Sequence[tuple[int, int]], places: int, samples: int
) -> list[str]:
    late = sum(position >= samples for _, position in points)
    reasons = {
        "their table has too many": sum((len(cue) - 4) // 24 for cue in cues if cue) - len(points),
        "they are after the end of the audio": late,
        "they share the position of another": len(points) - late - places,
        f"an MP3 holds {MAX_CHAPTERS} chapters": places - MAX_CHAPTERS,
    }
    return [
        f"{count} cue point(s) were left out, because {reason}."
        for reason, count in reasons.items()
        if count > 0
    ]


def _cue_points(payload: bytes, order: str) -> Iterator[tuple[int, int]]:
    """Yield the id and the position in samples of each. Some writers set only the position in the play order."""
    table = payload[4 : 4 + 24 * MAX_CUES]
    for cue_id, position, _, _, _, offset in struct.iter_unpack(
        order + "II4sIII", table[: len(table) // 24 * 24]
    ):
        yield cue_id, offset or position


def _labels(
    adtl: Sequence[bytes], order: str, file_text: FileText
) -> tuple[dict[tuple[bytes, int], str], dict[int, int]]:
    """Return texts by kind and cue id, and lengths of regions in samples by cue id. The first of each kind counts."""
    texts: dict[tuple[bytes, int], str] = {}
    lengths: dict[int, int] = {}
    for payload in adtl:
        for kind, data in items(payload, order):
            head_bytes = _LTXT_HEAD_BYTES if kind == b"ltxt" else 4
            if kind not in _LABELS or len(data) < head_bytes or len(texts) > _MAX_LABELS:
                continue
            cue_id = struct.unpack_from(order + "I", data)[0]
            texts.setdefault((kind, cue_id), file_text.field(data[head_bytes:]))
            if kind == b"ltxt":
                lengths.setdefault(cue_id, struct.unpack_from(order + "I", data, 4)[0])
    return texts, lengths


def _ms(position: int, sample_rate_hz: int) -> int:
    return min(round(position * 1000 / sample_rate_hz), _MAX_MS)


def _chapter(number: int, title: str, start_ms: int, end_ms: int) -> Frame:
    return CHAP(
        element_id=f"chp{number}",
        start_time=start_ms,
        end_time=end_ms,
        sub_frames=[TIT2(encoding=Charset.UTF8, text=[title])],
    )


def _table_of_contents(count: int) -> Frame:
    return CTOC(
        element_id="toc",
        flags=CTOCFlags.TOP_LEVEL | CTOCFlags.ORDERED,
        child_element_ids=[f"chp{number}" for number in range(count)],
        sub_frames=[],
    )
