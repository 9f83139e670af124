"""Sentences for the user about metadata that the tag of the MP3 does not hold."""

from collections.abc import Iterable, Mapping, Sequence

from mutagen.id3 import ID3

from shared.wav import Chunk, is_printable
from worker.tags.ixml import unread_fields
from worker.tags.riff import count_unread, is_timestamp, timestamp
from worker.tags.text import MAX_TEXT_BYTES

# Peaks and overviews of the WAV's samples. They do not describe the MP3.
_TECHNICAL = {b"PEAK", b"LEVL"}
_DATE_TEXTS = {"TXXX:date", "TXXX:origination_date"}
_MAX_NAMES = 20


def describe_chunks(
    chunks: Sequence[Chunk], payloads: Mapping[bytes, list[bytes]], read: Iterable[bytes]
) -> list[str]:
    """Describe the chunks that are not read, and the `payloads` that are not used."""
    used = {*read, *_TECHNICAL}
    names = [name for chunk in chunks if (name := chunk.id.upper().rstrip(b" \0")) not in used]
    lists = [kind for kind, found in payloads.items() if kind.startswith(b"LIST") and found]
    names += [kind for kind in lists if kind not in (b"LISTINFO", b"LISTADTL")]
    if payloads.get(b"LISTADTL") and not payloads.get(b"CUE"):
        names.append(b"LISTADTL")
    if not names:
        return []
    listed = _join(name.decode("latin-1") if is_printable(name) else "LIST" for name in names)
    return [f"These chunks have no place in an MP3 and were left out: {listed}."]


def describe_lists(payloads: Mapping[bytes, list[bytes]], order: str) -> list[str]:
    """Describe the bytes of lists that are not items."""
    lists = [*payloads.get(b"LISTINFO", []), *payloads.get(b"LISTADTL", [])]
    unread = sum(count_unread(payload, order) for payload in lists)
    return [f"{unread} byte(s) of LIST chunks are missing or cannot be read."] if unread else []


def _join(names: Iterable[str]) -> str:
    different = [*dict.fromkeys(names)]
    more = [f"{len(different) - _MAX_NAMES} more"] if len(different) > _MAX_NAMES else []
    return ", ".join(different[:_MAX_NAMES] + more)


def _kept(tag: ID3, kind: str) -> set[str]:
    """Return the values of a kind and of the described texts. A date also counts as its day."""
    frames = [*tag.getall(kind), *tag.getall("TXXX"), *tag.getall("COMM")]
    values = [value for frame in frames for value in str(frame).split("\0")]
    if kind != "TDRC":
        return set(values)
    return {part for value in values for part in (value, value.replace(" ", "T"), value[:10])}


def describe_texts(tag: ID3, lost: Sequence[tuple[str, str]], *, beyond_limit: int) -> list[str]:
    """Describe the texts whose frames were taken, unless another frame has the same text."""
    names = [
        kind.rpartition(":")[2] or "comment" for kind, text in lost if text not in _kept(tag, kind)
    ]
    warnings = []
    if names:
        fields = ", ".join(dict.fromkeys(names))
        warnings.append(f"The WAV has several values of {fields}: the first of each was kept.")
    if beyond_limit:
        warnings.append(f"{beyond_limit} text(s) were left out, because the WAV has too many.")
    return warnings


def describe_date(kind: str, text: str) -> list[str]:
    """Describe a date that is not in the form of ID3v2.4. A date of zeros is not set."""
    if kind not in _DATE_TEXTS or is_timestamp(text) or not text.strip("0-_:/. "):
        return []
    date = timestamp(text)
    fate = f"only {date!r} of it can be the MP3's date" if date else "it cannot be the MP3's date"
    return [
        f"The date {text!r} is not written like 2026-11-28, so {fate}. The text itself is kept as {kind}."
    ]


def describe_ixml(payloads: Sequence[bytes], decoded: Sequence[str]) -> list[str]:
    """Describe the elements that have a text and are not in the tag: all except the fields of the slate."""
    names = [name for xml in decoded for name in unread_fields(xml)]
    if any(len(payload) > MAX_TEXT_BYTES for payload in payloads):
        names.append(f"everything after {MAX_TEXT_BYTES} bytes")
    return [f"These fields of the iXML were left out: {_join(names)}."] if names else []


def describe_cues(cues: Sequence[bytes]) -> list[str]:
    count = sum(max(0, len(cue) - 4) // 24 for cue in cues)
    if not count:
        return []
    return [f"The ID3 tag in the WAV has chapters, so {count} cue point(s) were left out."]


def describe_frames(names: Sequence[str], fate: str) -> list[str]:
    """Describe ID3 frames that were left out or cut."""
    if not names:
        return []
    listed = ", ".join([*dict.fromkeys(names)][:_MAX_NAMES])
    return [f"{len(names)} ID3 frame(s) were {fate}: {listed}."]
