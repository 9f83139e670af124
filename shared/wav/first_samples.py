"""Inspects the first samples of a WAV when the `fmt ` chunk may be wrong about them.

In: the `data` chunk's place and the `FmtChunk`. Out: the same `FmtChunk`, or a corrected copy. Raises `BadWav` for a
compressed stream stored as PCM. Reads 16 KiB (`cool_edit.py` skips up to 4 MiB of silence), and only for codecs whose
headers are known to be wrong at times.
"""

from dataclasses import replace

from shared.errors import BadWav
from shared.wav import mpeg_streams
from shared.wav.chunks import ChunkHeader, Source
from shared.wav.cool_edit import detect_floats
from shared.wav.disguised_streams import detect_stream
from shared.wav.fmt import Codec, FmtChunk

_START_BYTES = 16 * 1024


def inspect_samples(source: Source, data: ChunkHeader, fmt: FmtChunk) -> FmtChunk:
    """Return `fmt`, corrected if the first samples contradict it. Raises `BadWav`."""
    match fmt.codec:
        case Codec.MP2 | Codec.MP3:
            return _follow_frames(_read_start(source, data), fmt)
        case Codec.PCM if fmt.bits_per_sample == 16:
            _refuse_disguised_stream(_read_start(source, data))
        case Codec.PCM:
            return detect_floats(source, data, fmt)
    return fmt


def _read_start(source: Source, data: ChunkHeader) -> bytes:
    return source.read(data.offset, min(data.size, _START_BYTES))


def _refuse_disguised_stream(start: bytes) -> None:
    if name := detect_stream(start):
        raise BadWav(
            f"The WAV contains {name} stored as PCM samples. Decode it to PCM and upload the result."
        )


def _follow_frames(start: bytes, fmt: FmtChunk) -> FmtChunk:
    """Take channels and rate from the frames: decoders do, and mixing and resampling must agree with them."""
    found = mpeg_streams.first_frame(start)
    if found is None:
        return fmt
    at, header = found
    corrected = fmt.with_stream(header.format.channels, header.format.sample_rate_hz)
    return replace(corrected, padding_samples=mpeg_streams.padding_samples(start, at, header))
