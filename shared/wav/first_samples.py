"""Inspects the samples of a WAV when the `fmt ` chunk may be wrong about them.

In: the `data` chunk's place and the `FmtChunk`. Out: the same `FmtChunk`, or a corrected copy. Raises `BadWav` for a
compressed stream stored as PCM. Reads a few hundred KiB, after up to 16 MiB of silence, and only for codecs whose
headers are known to be wrong at times.
"""

import struct
from dataclasses import replace

from shared.errors import BadWav
from shared.wav import mpeg_streams
from shared.wav.adpcm_blocks import detect_block_align
from shared.wav.chunks import ChunkHeader
from shared.wav.codecs import Codec
from shared.wav.container import Source, id3v2_bytes
from shared.wav.cool_edit import detect_floats
from shared.wav.disguised_streams import WINDOW_BYTES, detect_stream
from shared.wav.fmt import FmtChunk
from shared.wav.frames import detect_frames
from shared.wav.lone_channel import detect_lone_channel
from shared.wav.low_bytes import detect_low_bytes
from shared.wav.odd_levels import warn_of_levels
from shared.wav.other_formats import detect_wrapped_file
from shared.wav.sample_layout import detect_sample_layout
from shared.wav.sound import first_sound
from shared.wav.text_damage import describe_text_damage
from shared.wav.wrong_codec import detect_wrong_codec

_START_BYTES = 16 * 1024
_UNKNOWN_DELAY = frozenset(
    {
        *(Codec.AC3, Codec.EAC3, Codec.DTS, Codec.AAC, Codec.G723_1),
        *(Codec.WMA_1, Codec.WMA_2, Codec.WMA_PRO, Codec.XMA_2),
    }
)
_SURROUND = (Codec.AC3, Codec.EAC3, Codec.DTS)
_MASK_OF_5_1 = 0x3F  # the order of the channels that the decoder gives
_SHIFTED = (
    "The compressed audio ({}) does not say where it starts and ends, so the MP3 may be shifted, or be longer or "
    "shorter, by up to 0.1 s."
)


def inspect_samples(source: Source, data: ChunkHeader, fmt: FmtChunk) -> FmtChunk:
    """Return `fmt`, corrected if the samples contradict it. Raises `BadWav`."""
    if fmt.is_raw:
        _refuse_wrapped_file(source.read(data.offset, min(data.size, _START_BYTES)))
        if damage := describe_text_damage(first_sound(source, data, WINDOW_BYTES)):
            raise BadWav(damage)
    match fmt.codec:
        case Codec.MP2 | Codec.MP3:
            tag_bytes = id3v2_bytes(source.read(data.offset, 10))
            fmt = replace(fmt, tag_bytes=tag_bytes if tag_bytes < data.size else 0)
            rest = data.size - fmt.tag_bytes
            start = source.read(data.offset + fmt.tag_bytes, min(rest, _START_BYTES))
            followed = mpeg_streams.follow_frames(start, fmt)
            is_sure = fmt.codec is Codec.MP3 or any(followed.padding_samples)
            return followed if is_sure else followed.with_warning(_SHIFTED.format(fmt.codec.label))
        case Codec.PCM | Codec.FLOAT:
            return _inspect_raw_samples(source, data, fmt)
        case Codec.IMA_ADPCM | Codec.MS_ADPCM if fmt.bits_per_sample == 4:
            return detect_block_align(source, data, fmt)
        case codec if codec in _UNKNOWN_DELAY:
            if codec in _SURROUND and fmt.channels == 6 and not fmt.channel_mask:
                fmt = replace(fmt, channel_mask=_MASK_OF_5_1)
            return fmt.with_warning(_SHIFTED.format(codec.label))
    return fmt


def _inspect_raw_samples(source: Source, data: ChunkHeader, fmt: FmtChunk) -> FmtChunk:
    match fmt.codec, fmt.bits_per_sample:
        case Codec.FLOAT, 32:
            _refuse_disguised_stream(source, data, fmt)
            fmt = detect_wrong_codec(source, data, fmt)
        case Codec.PCM, (16 | 24 | 32):
            _refuse_disguised_stream(source, data, fmt)
            fmt = detect_lone_channel(source, data, detect_floats(source, data, fmt))
            fmt = detect_wrong_codec(source, data, detect_low_bytes(source, data, fmt))
    has_layouts = fmt.bits_per_sample in (16, 24, 32, 64) and not fmt.low_24_bits
    fmt = detect_sample_layout(source, data, fmt) if has_layouts else fmt
    return warn_of_levels(source, data, fmt)


def _refuse_wrapped_file(start: bytes) -> None:
    if name := detect_wrapped_file(start) or detect_frames(start):
        raise BadWav(
            f"The data chunk of the WAV contains {name} instead of samples. Convert that to WAV and upload the result."
        )


def _refuse_disguised_stream(source: Source, data: ChunkHeader, fmt: FmtChunk) -> None:
    samples, sample_bytes = first_sound(source, data, WINDOW_BYTES), fmt.bits_per_sample // 8
    big_endian = data.container.big_endian
    if fmt.codec is Codec.FLOAT:  # as audio editors save a recording of a digital input
        samples, sample_bytes = _to_integers(samples, big_endian=big_endian), 4
    name = detect_stream(
        samples, sample_bytes=sample_bytes, channels=fmt.channels, big_endian=big_endian
    )
    if name:
        raise BadWav(
            f"The WAV contains {name} stored as PCM samples. Decode it to PCM and upload the result."
        )


def _to_integers(floats: bytes, *, big_endian: bool) -> bytes:
    """Return 32-bit integers of 32-bit floats. NaN and values above full scale become 0: no stream has them."""
    order, count = ">" if big_endian else "<", len(floats) // 4
    values = struct.unpack(f"{order}{count}f", floats[: 4 * count])
    return struct.pack(
        f"{order}{count}i", *(int(value * 2**31) if -1 <= value < 1 else 0 for value in values)
    )
