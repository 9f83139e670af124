"""The first samples of a WAV, where they know better than `fmt ` what they are.

In: where the data stands, and what `fmt ` says of it. Out: the same, put right. Raises `BadWav` for a compressed stream
in the place of samples. Reads the first 16 KiB, and only of formats that are known to be told wrong.
"""

from dataclasses import replace

from shared.errors import BadWav
from shared.wav import mpeg_streams
from shared.wav.chunks import Header, Source
from shared.wav.cool_edit import detect_floats
from shared.wav.disguised_streams import describe_samples
from shared.wav.fmt import Codec, FmtChunk

_START_BYTES = 16 * 1024


def inspect_samples(source: Source, data: Header, fmt: FmtChunk) -> FmtChunk:
    match fmt.codec:
        case Codec.MP2 | Codec.MP3:
            return _as_in_its_frames(_start(source, data), fmt)
        case Codec.PCM if fmt.bits_per_sample == 16:
            _refuse_disguised(_start(source, data))
        case Codec.PCM:
            return detect_floats(source, data, fmt)
    return fmt


def _start(source: Source, data: Header) -> bytes:
    return source.read(data.offset, min(data.size, _START_BYTES))


def _refuse_disguised(start: bytes) -> None:
    if name := describe_samples(start):
        raise BadWav(
            f"The WAV's samples are {name} in disguise, not PCM. Decode it to PCM and upload that."
        )


def _as_in_its_frames(start: bytes, fmt: FmtChunk) -> FmtChunk:
    """Decoders follow the frames, whatever `fmt ` says; what is then mixed or resampled to it is harmed."""
    found = mpeg_streams.first_frame(start)
    if found is None:
        return fmt
    at, header = found
    followed = fmt.with_stream(header.format.channels, header.format.sample_rate_hz)
    return replace(followed, padding_samples=mpeg_streams.padding_samples(start, at, header))
