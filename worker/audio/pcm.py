"""Samples as ffmpeg takes them: the source's own bytes, with a name for their format and no container around them.

Raw sources (PCM, float, A-law, µ-law) are read from the file as they are. Compressed ones go through a decoder
first, in a process of its own that sees a header which we wrote, and come out as 32-bit samples. Either way an
encoder gets a `PcmFormat`.
"""

import os
import struct
import sys
from array import array
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from math import isnan
from typing import BinaryIO

from shared.segmentation import SampleRange
from shared.wav import Codec, WavInfo

CHUNK_BYTES = 256 * 1024
_UNKNOWN_SIZE = b"\xff\xff\xff\xff"
_SILENCE = {"u8": b"\x80", "alaw": b"\xd5", "mulaw": b"\xff"}


@dataclass(frozen=True, slots=True)
class PcmFormat:
    """`name` is ffmpeg's for the raw format; `sample_bytes` are of one channel's sample."""

    name: str
    sample_bytes: int
    channels: int
    sample_rate_hz: int

    @property
    def block_align(self) -> int:
        return self.sample_bytes * self.channels

    @property
    def is_integer(self) -> bool:
        return not self.name.startswith("f")

    @property
    def input_arguments(self) -> list[str]:
        """Tells ffmpeg what comes on stdin. `NC` is N channels in no particular layout: mixing is ours to say."""
        rate = str(self.sample_rate_hz)
        layout = {1: "mono", 2: "stereo"}.get(self.channels, f"{self.channels}C")
        return ["-f", self.name, "-sample_rate", rate, "-ch_layout", layout, "-i", "pipe:0"]

    def silence(self, samples: int) -> bytes:
        return _SILENCE.get(self.name, b"\0") * (samples * self.block_align)


def raw_format(info: WavInfo) -> PcmFormat:
    """What `read_samples` gives of a raw source."""
    return PcmFormat(*_raw_name(info), info.fmt.channels, info.fmt.sample_rate_hz)


def decoded_format(info: WavInfo) -> PcmFormat:
    """What the decoder gives of a compressed source."""
    return PcmFormat("s32le", 4, info.fmt.channels, info.fmt.sample_rate_hz)


def decoding_arguments(info: WavInfo) -> list[str]:
    """Tells ffmpeg to make `decoded_format` of `compressed_file`, whatever the stream says beside its header.

    What is damaged is left out, be it most of it.
    """
    form, decoder = decoded_format(info), str(info.fmt.codec)
    only = ["-codec_whitelist", decoder, "-c:a", decoder]
    rate, channels = str(form.sample_rate_hz), str(form.channels)
    source = ["-max_error_rate", "1", "-f", "wav", *only, "-i", "pipe:0", "-map", "0:a:0"]
    return [*source, "-ar", rate, "-ac", channels, "-f", form.name]


def without_padding(decoded: Iterable[bytes], info: WavInfo) -> Iterator[bytes]:
    """What the decoder gives of a compressed source, without what its encoder put around the audio."""
    block_align = decoded_format(info).block_align
    front, behind = (samples * block_align for samples in info.fmt.padding_samples)
    held = b""
    for chunk in decoded:
        held += chunk[front:]
        front = max(0, front - len(chunk))
        ready = max(0, len(held) - behind)
        yield held[:ready]
        held = held[ready:]


def _raw_name(info: WavInfo) -> tuple[str, int]:
    byte_order = "be" if info.big_endian else "le"
    match info.fmt.codec, info.fmt.bits_per_sample:
        case ((Codec.ALAW | Codec.MULAW), _):
            return info.fmt.codec, 1
        case Codec.PCM, 8:
            return "u8", 1
        case Codec.PCM, (40 | 48 | 56 | 64):
            return f"s32{byte_order}", 4
        case Codec.FLOAT, bits:
            return f"f{bits}{byte_order}", bits // 8
        case _, bits:
            return f"s{bits}{byte_order}", bits // 8


def read_samples(file: BinaryIO, info: WavInfo, stretch: SampleRange) -> Iterator[bytes]:
    """A raw source's samples of a stretch. A file that has become shorter ends early."""
    position = info.data_offset + stretch.start_sample * info.fmt.block_align
    end = position + stretch.samples * info.fmt.block_align
    step = CHUNK_BYTES // info.fmt.block_align * info.fmt.block_align
    while position < end:
        chunk = os.pread(file.fileno(), min(step, end - position), position)
        if not chunk:
            return
        position += len(chunk)
        yield _readable(chunk, info)


def _readable(chunk: bytes, info: WavInfo) -> bytes:
    match info.fmt.codec, info.fmt.bits_per_sample:
        case Codec.PCM, (40 | 48 | 56 | 64) as bits:
            return _upper_four(chunk, bits // 8, big_endian=info.big_endian)
        case Codec.FLOAT, bits:
            return _without_nan(chunk, bits // 8, big_endian=info.big_endian)
    return chunk


def _upper_four(chunk: bytes, sample_bytes: int, *, big_endian: bool) -> bytes:
    """Wide samples as 32-bit ones: ffmpeg reads no raw format of wider integers."""
    first = 0 if big_endian else sample_bytes - 4
    upper = bytearray(len(chunk) // sample_bytes * 4)
    for place in range(4):
        upper[place::4] = chunk[first + place :: sample_bytes]
    return bytes(upper)


def _without_nan(chunk: bytes, sample_bytes: int, *, big_endian: bool) -> bytes:
    """Silence for what is not a number: ffmpeg would make full scale of it."""
    top_bytes = chunk[0 if big_endian else sample_bytes - 1 :: sample_bytes]
    if b"\x7f" not in top_bytes and b"\xff" not in top_bytes:
        return chunk  # none has the exponent of NaN, and no sane one comes near it
    samples = array("f" if sample_bytes == 4 else "d", chunk)
    swapped = big_endian == (sys.byteorder == "little")
    if swapped:
        samples.byteswap()
    samples = array(samples.typecode, (0.0 if isnan(sample) else sample for sample in samples))
    if swapped:
        samples.byteswap()
    return samples.tobytes()


def compressed_file(file: BinaryIO, info: WavInfo) -> Generator[bytes]:
    """A compressed source in a container that holds nothing but the format and the data, to its end."""
    fmt = info.fmt.payload + b"\0" * (len(info.fmt.payload) % 2)
    yield b"RIFF" + _UNKNOWN_SIZE + b"WAVEfmt " + struct.pack("<I", len(info.fmt.payload)) + fmt
    yield b"data" + _UNKNOWN_SIZE
    position, end = info.data_offset, info.data_offset + info.data_bytes
    while position < end:
        chunk = os.pread(file.fileno(), min(CHUNK_BYTES, end - position), position)
        if not chunk:
            return
        position += len(chunk)
        yield chunk
