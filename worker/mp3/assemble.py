"""Joins the parts of a record into its MP3: ID3 tag, Xing/LAME header, frames."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from shared.mp3_options import DEFAULT_ID3_VERSION, Options, Target
from shared.segmentation import resampled_length
from shared.wav import WavInfo
from worker.mp3 import lame_header
from worker.tags import Audio, build_tag

COPY_BYTES = 1 << 20


def write_mp3(
    source: BinaryIO,
    info: WavInfo,
    target: Target,
    samples: int,
    parts: Sequence[Path],
    options: Options,
    overrides: dict[str, str],
    encoder: str,
    mp3: BinaryIO,
    check: Callable[[], None],
) -> list[str]:
    """Write the MP3 of a source with `samples` samples per channel. Return the user's warnings about its metadata.

    `overrides` are the user's tags, and `encoder` is the name of the encoder that wrote the parts. Calls `check` before
    each part and passes on its exceptions. Raises EncodeFailed if the parts do not fit together.
    """
    summary = lame_header.summarise(parts)
    audio = Audio(samples, info.fmt.sample_rate_hz, info.big_endian)
    charset, version = options.tag_charset or "", options.id3_version or DEFAULT_ID3_VERSION
    tag = build_tag(
        source, info.chunks, audio, overrides, encoder, charset=charset, version=version
    )
    mp3.write(tag.data)
    length = resampled_length(samples, info.fmt.sample_rate_hz, target)
    mp3.write(lame_header.header_frame(summary, length, target.quality, encoder))
    for part in parts:
        check()
        with part.open("rb") as file:
            shutil.copyfileobj(file, mp3, COPY_BYTES)
    return tag.warnings
