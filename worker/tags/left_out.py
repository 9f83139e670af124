"""Sentences for the user about metadata that the tag of the MP3 does not hold."""

import re
from collections.abc import Iterable, Mapping, Sequence

from mutagen.id3 import ID3

from shared.wav import Chunk
from worker.tags.text import MAX_TEXT_BYTES

# Facts about the WAV's samples or its editor's windows, which are wrong or useless in an MP3.
_TECHNICAL = {b"PEAK", b"LEVL", b"MINF", b"ELM1", b"REGN", b"UMID", b"DGDA", b"CSET", b"SLNT"}
_SLATE = {b"PROJECT", b"SCENE", b"TAKE", b"TAPE", b"NOTE"}
_IXML_ELEMENT = re.compile(rb"<([A-Za-z_]+)>\s*[^<\s]")
_MAX_NAMES = 20


def describe_chunks(
    chunks: Sequence[Chunk], payloads: Mapping[bytes, list[bytes]], read: Iterable[bytes]
) -> list[str]:
    """Describe the chunks that are not read, and those of the `payloads` that are not used."""
    used = {*read, *_TECHNICAL}
    names = [name for chunk in chunks if (name := chunk.id.upper().rstrip(b" \0")) not in used]
    lists = [kind for kind, found in payloads.items() if kind.startswith(b"LIST") and found]
    names += [kind for kind in lists if kind not in (b"LISTINFO", b"LISTADTL")]
    if payloads.get(b"LISTADTL") and not payloads.get(b"CUE"):
        names.append(b"LISTADTL")
    if not names:
        return []
    return [f"These chunks have no place in an MP3 and were left out: {_join(names)}."]


def _join(names: Iterable[bytes]) -> str:
    different = [name.decode("latin-1") for name in dict.fromkeys(names)]
    more = [f"{len(different) - _MAX_NAMES} more"] if len(different) > _MAX_NAMES else []
    return ", ".join(different[:_MAX_NAMES] + more)


def describe_texts(tag: ID3, lost: Sequence[tuple[str, str]], *, beyond_limit: int) -> list[str]:
    """Describe the texts whose frames were taken, unless another frame has the same text."""
    known = {
        value
        for frame in tag.values()
        if hasattr(frame, "text")
        for value in str(frame).split("\0")
    }
    names = [
        kind.rpartition(":")[2] or "comment"
        for kind, text in lost
        if not {text, text.replace("T", " "), text[:10]} & known
    ]
    warnings = []
    if names:
        fields = ", ".join(dict.fromkeys(names))
        warnings.append(f"The WAV has several values of {fields}: the first of each was kept.")
    if beyond_limit:
        warnings.append(f"{beyond_limit} text(s) were left out, because the WAV has too many.")
    return warnings


def describe_ixml(payloads: Sequence[bytes]) -> list[str]:
    """Describe the elements with a text that are no field of the slate."""
    names = [
        name
        for payload in payloads
        for name in _IXML_ELEMENT.findall(payload[:MAX_TEXT_BYTES])
        if name not in _SLATE
    ]
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
