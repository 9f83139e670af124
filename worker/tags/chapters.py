"""Converts cue points to ID3 chapters.

In: the payloads of `cue ` and LIST/adtl chunks, the byte order ("<", or ">" for RIFX), and the length of
the audio in samples per channel. Out: one CHAP frame for each chapter, in the order of time, and a CTOC frame that
lists them; then sentences for the user about cue points and texts that were left out. The best text of a cue point is
the title of its chapter, and the others are its description (TIT3). A cue point without a text becomes "Marker" and its
number. Times are in milliseconds. Raises nothing, even for broken input.
Sources: Microsoft/IBM "Multimedia Programming Interface and Data Specifications 1.0", and its 1994 update for adtl;
ID3v2 Chapter Frame Addendum 1.0.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from mutagen.id3 import CHAP, CTOC, TIT2, TIT3, CTOCFlags, Frame
from mutagen.id3 import Encoding as Charset

from worker.tags.charset import FileText
from worker.tags.riff import items
from worker.tags.text import code_page_name

MAX_CUES = 10_000
MAX_CHAPTERS = 255
"""CTOC counts its entries in one byte."""
_LABELS = (b"labl", b"ltxt", b"note")
"""The items that can name a cue point, best first."""
_MAX_LABELS = 3 * MAX_CUES
_LTXT_HEAD_BYTES = 20
_MAX_MS = 2**32 - 1


@dataclass(frozen=True, slots=True)
class _Labels:
    """The texts and the region of each cue point, by its id. The first of each kind counts."""

    texts: dict[int, dict[bytes, str]] = field(default_factory=dict)
    lengths: dict[int, int] = field(default_factory=dict)
    """In samples."""
    repeated: set[int] = field(default_factory=set)
    other_kinds: set[str] = field(default_factory=set)
    excess: set[int] = field(default_factory=set)
    """The cue points whose labels are beyond the limit."""

    def titles(self, cue_id: int) -> list[str]:
        """Return the texts of a cue point, best first."""
        texts = self.texts.get(cue_id, {})
        return [*dict.fromkeys(filter(None, (texts.get(kind) for kind in _LABELS)))]


def chapters(
    cues: Sequence[bytes],
    adtl: Sequence[bytes],
    order: str,
    texts: FileText,
    *,
    samples: int,
    sample_rate_hz: int,
) -> tuple[list[Frame], list[str]]:
    labels = _read_labels(adtl, order, texts)
    named: dict[int, tuple[list[str], int]] = {}
    points = [point for cue in cues for point in _cue_points(cue, order)]
    for cue_id, position in points:
        # Of several cue points at one position, the first that has a label names the chapter.
        if position < samples and not named.get(position, ([], 0))[0]:
            named[position] = (labels.titles(cue_id), labels.lengths.get(cue_id, 0))
    starts = sorted(named)[:MAX_CHAPTERS]
    frames, overlaps = [], 0
    for number, (start, following) in enumerate(pairwise([*starts, samples])):
        titles, length = named[start]
        overlaps += start + length > following
        end = min(start + length, following) if length else following
        times = _ms(start, sample_rate_hz), _ms(end, sample_rate_hz)
        frames.append(_chapter(number, titles or [f"Marker {number + 1}"], *times))
    warnings = [
        *_missing(cues, order),
        *_left_out(cues, points, len(named), samples),
        *(_lost_labels(labels, {cue_id for cue_id, _ in points}, overlaps) if cues else ()),
    ]
    return ([*frames, _table_of_contents(len(frames))] if frames else []), warnings


def _present(cue: bytes) -> int:
    return max(0, len(cue) - 4) // 24


def _missing(cues: Sequence[bytes], order: str) -> Iterator[str]:
    for cue in cues:
        declared = int.from_bytes(cue[:4], "little" if order == "<" else "big")
        if declared > _present(cue):
            yield f"The cue chunk says that it has {declared} cue point(s), but {_present(cue)} are in it."


def _left_out(
    cues: Sequence[bytes], points: Sequence[tuple[int, int]], places: int, samples: int
) -> list[str]:
    late = sum(position >= samples for _, position in points)
    reasons = {
        "the cue chunk has too many": sum(map(_present, cues)) - len(points),
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


def _read_labels(adtl: Sequence[bytes], order: str, file_text: FileText) -> _Labels:
    labels = _Labels()
    for payload in adtl:
        for kind, data in items(payload, order):
            head_bytes = _LTXT_HEAD_BYTES if kind == b"ltxt" else 4
            if kind not in _LABELS or len(data) < head_bytes:
                labels.other_kinds.add(kind.decode())
                continue
            cue_id = struct.unpack_from(order + "I", data)[0]
            if len(labels.texts) > _MAX_LABELS:
                labels.excess.add(cue_id)
                continue
            text = file_text.field(data[head_bytes:], _charset(kind, data, order))
            if labels.texts.setdefault(cue_id, {}).setdefault(kind, text) != text:
                labels.repeated.add(cue_id)
            if kind == b"ltxt":
                labels.lengths.setdefault(cue_id, struct.unpack_from(order + "I", data, 4)[0])
    return labels


def _charset(kind: bytes, data: bytes, order: str) -> str:
    """Return the charset that an ltxt item declares for its text, or "": many writers leave some number there."""
    code_page: int = struct.unpack_from(order + "H", data, 18)[0] if kind == b"ltxt" else 0
    return code_page_name(code_page)


def _lost_labels(labels: _Labels, cue_ids: set[int], overlaps: int) -> Iterator[str]:
    lost = [cue_id for cue_id in labels.texts if cue_id not in cue_ids and labels.titles(cue_id)]
    if lost:
        yield f"The labels of {len(lost)} missing cue point(s) were left out."
    if labels.repeated:
        yield f"{len(labels.repeated)} cue point(s) have several labels: the first label of each was kept."
    if labels.excess:
        yield f"The labels of {len(labels.excess)} cue point(s) were left out: only {_MAX_LABELS} are read."
    if labels.other_kinds:
        yield f"These items of the adtl list were left out: {', '.join(sorted(labels.other_kinds)[:20])}."
    if overlaps:
        yield f"{overlaps} region(s) last beyond the next cue point, and were cut there."


def _ms(position: int, sample_rate_hz: int) -> int:
    return min(round(position * 1000 / sample_rate_hz), _MAX_MS)


def _chapter(number: int, titles: Sequence[str], start_ms: int, end_ms: int) -> Frame:
    title, *others = titles
    description = [TIT3(encoding=Charset.UTF8, text=["\n".join(others)])] if others else []
    return CHAP(
        element_id=f"chp{number}",
        start_time=start_ms,
        end_time=end_ms,
        sub_frames=[TIT2(encoding=Charset.UTF8, text=[title]), *description],
    )


def _table_of_contents(count: int) -> Frame:
    return CTOC(
        element_id="toc",
        flags=CTOCFlags.TOP_LEVEL | CTOCFlags.ORDERED,
        child_element_ids=[f"chp{number}" for number in range(count)],
        sub_frames=[],
    )
