"""The metadata chunks of a WAV.

In: the chunk headers, the file's first `Container` and the `data` chunk that was chosen. Out: the place of each chunk,
and sentences for the user about chunks that are left out or incomplete. Raises nothing.
"""

from collections.abc import Sequence

from shared.wav.chunks import ChunkHeader, is_printable
from shared.wav.container import Container
from shared.wav.info import Chunk

MAX_METADATA_CHUNKS = 1000
_NOT_METADATA = frozenset({b"fmt ", b"data", b"ds64", b"fact", b"JUNK", b"junk", b"PAD ", b"FLLR"})
_WRAPPED = (
    "The data chunk of the WAV holds another WAV, as if it had been saved twice. The inner one was converted, and the "
    "outer header was ignored."
)
_JUNK = (
    "The file has {} bytes before the WAV's header, as if a program had written something else there. "
    "They were left out."
)
_UNNAMED = "{} chunk(s) with {} bytes have an unknown id and were left out."
_EXCESS = (
    f"{{}} of the WAV's {{}} metadata chunks were left out: only {MAX_METADATA_CHUNKS} are read."
)


def collect_metadata(
    container: Container, data: ChunkHeader, headers: Sequence[ChunkHeader], tag_bytes: int
) -> tuple[tuple[Chunk, ...], list[str]]:
    """Return the chunks in file order, also the chunks of a WAV inside the first WAV, and the warnings.

    ID3 tags come first: before the file's header, and in the first `tag_bytes` of the data.
    """
    # Leave out WAVs that follow the first one: their markers count from their own start.
    is_wrapped = _is_wrapped(container, headers)
    containers = (container, data.container) if is_wrapped else (container,)
    own = [
        header
        for header in headers
        if header.size
        and header.id not in _NOT_METADATA
        and header.container in containers
        and header.is_plausible
    ]
    found = [header for header in own if is_printable(header.id)]
    id3_bytes = container.start - container.junk_bytes
    tags = [Chunk(b"id3 ", 0, id3_bytes), Chunk(b"id3 ", data.offset, tag_bytes)]
    chunks = [
        *(tag for tag in tags if tag.size),
        *(Chunk(header.id, header.offset, header.size) for header in found),
    ]
    warnings = [_WRAPPED] if is_wrapped else []
    if container.junk_bytes:
        warnings.append(_JUNK.format(container.junk_bytes))
    if unnamed := [header.size for header in own if not is_printable(header.id)]:
        warnings.append(_UNNAMED.format(len(unnamed), sum(unnamed)))
    if (excess := len(chunks) - MAX_METADATA_CHUNKS) > 0:
        warnings.append(_EXCESS.format(excess, len(chunks)))
    warnings += [
        f"The {header.id.decode('latin-1').strip()} chunk is cut off: {header.declared - header.size} of its "
        f"{header.declared} bytes are missing."
        for header in found[:MAX_METADATA_CHUNKS]
        if header.declared > header.size
    ]
    return tuple(chunks[:MAX_METADATA_CHUNKS]), warnings


def _is_wrapped(container: Container, headers: Sequence[ChunkHeader]) -> bool:
    """Return True if another WAV starts where the first samples of this one should be."""
    outer = next((header for header in headers if header.id == b"data"), None)
    if outer is None or outer.container != container or outer.size:
        return False
    return any(header.container.start == outer.offset for header in headers)
