"""Joins the parts of a record into its MP3: ID3 tag, Xing/LAME header, frames."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from shared.mp3_options import Target
from shared.segmentation import resampled_length
from shared.wav import WavInfo
from worker.mp3 import lame_header
from worker.tags import read_tags

COPY_BYTES = 1 << 20


def write_mp3(
    source: BinaryIO,
    info: WavInfo,
    target: Target,
    samples: int,
    parts: Sequence[Path],
    overrides: dict[str, str],
    encoder: str,
    mp3: BinaryIO,
    check: Callable[[], None],
) -> None:
    """Write the MP3 of a source with `samples` samples per channel.

    `overrides` are the user's tags, and `encoder` is the name of the encoder that wrote the parts. Calls `check` before
    each part and passes on its exceptions. Raises EncodeFailed if the parts do not fit together.
    """
    summary = lame_header.summarise(parts)
    mp3.write(
        read_tags(
            source,
            info.chunks,
            samples=samples,
            sample_rate_hz=info.fmt.sample_rate_hz,
            big_endian=info.big_endian,
            overrides=overrides,
            encoder=encoder,
        )
    )
    length = resampled_length(samples, info.fmt.sample_rate_hz, target)
    mp3.write(lame_header.header_frame(summary, length, target.quality, encoder))
    for part in parts:
        check()
        with part.open("rb") as file:
            shutil.copyfileobj(file, mp3, COPY_BYTES)
