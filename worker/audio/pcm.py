"""Reads a source's samples as raw bytes for ffmpeg's stdin, without a container, and names their format.

PCM, float, A-law and µ-law samples are read from the file as they are, apart from those that ffmpeg cannot read. A
compressed source is first decoded to 32-bit samples, integer or float, by a separate ffmpeg, which gets the data under
a header that we write. Both kinds come with a `PcmFormat`.
"""

import os
import struct
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from shared.segmentation import SampleRange
from shared.wav import Codec, FmtChunk, WavInfo
from worker.audio.damage import CutFrameCheck, limit_floats, silence_damaged_blocks
from worker.audio.flaws import Flaws
from worker.audio.mpeg_check import FrameCheck

CHUNK_BYTES = 256 * 1024
_UNKNOWN_SIZE = b"\xff\xff\xff\xff"
_FLOAT_DECODERS = {
    *(Codec.MP2, Codec.MP3, Codec.AAC, Codec.AC3, Codec.EAC3, Codec.DTS),
    *(Codec.WMA_1, Codec.WMA_2, Codec.WMA_PRO, Codec.XMA_2),
}
# The masks of ffmpeg's layouts, by the number of channels: decoders use any of them.
_MASKS = {
    1: (0x4,),
    2: (0x3,),
    3: (0x7, 0x103, 0xB),
    4: (0x107, 0x33, 0x603, 0xF),
    5: (0x37, 0x607, 0x10F),
    6: (0x3F, 0x60F, 0x707, 0x6C3, 0x137, 0x500F),
    7: (0x70F, 0x13F, 0x6CB, 0x637, 0x6C7),
    8: (0x63F, 0xFF, 0x6CF, 0x560F, 0x503F, 0x737, 0x2D033),
}
_SILENCE = {"u8": b"\x80", "alaw": b"\xd5", "mulaw": b"\xff"}


@dataclass(frozen=True, slots=True)
class PcmFormat:
    """The format of raw samples, with ffmpeg's name for it. `sample_bytes` is the size of a sample of one channel."""

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
        """The arguments that describe stdin. The layout `NC` is N channels without speakers, because we mix them."""
        rate = str(self.sample_rate_hz)
        layout = {1: "mono", 2: "stereo"}.get(self.channels, f"{self.channels}C")
        return ["-f", self.name, "-sample_rate", rate, "-ch_layout", layout, "-i", "pipe:0"]

    def silence(self, samples: int) -> bytes:
        return _SILENCE.get(self.name, b"\0") * (samples * self.block_align)


def raw_format(info: WavInfo) -> PcmFormat:
    """Return the format of the samples that `read_samples` yields."""
    return PcmFormat(*_raw_name(info), info.fmt.channels, info.fmt.sample_rate_hz)


def decoded_format(info: WavInfo) -> PcmFormat:
    """Return the format of the samples that the decoder of a compressed source writes.

    Lossy codecs with a float decoder can hold samples above full scale, which integers would clip.
    """
    name = "f32le" if info.fmt.codec in _FLOAT_DECODERS else "s32le"
    return PcmFormat(name, 4, info.fmt.channels, info.fmt.sample_rate_hz)


def decoding_arguments(info: WavInfo) -> list[str]:
    """Return the arguments to decode `compressed_file` to `decoded_format`, even if its frames have another format.

    Damaged blocks are skipped, even if that is most of the file.
    """
    pcm_format, decoder = decoded_format(info), str(info.fmt.codec)
    only = ["-codec_whitelist", decoder, "-c:a", decoder]
    source = ["-max_error_rate", "1", "-err_detect", "crccheck", "-f", "wav", *only, "-i", "pipe:0"]
    rate = ["-ar", str(pcm_format.sample_rate_hz)]
    return [*source, "-map", "0:a:0", *rate, *_keep_channels(info.fmt), "-f", pcm_format.name]


def _keep_channels(fmt: FmtChunk) -> list[str]:
    """Return the arguments that leave the channels as they are, if their number is right.

    `-ac` would mix them to ffmpeg's default layout for that number, such as 3.0 to 2.1.
    """
    own = {fmt.channel_mask} if fmt.channel_mask.bit_count() == fmt.channels else set()
    layouts = "|".join(f"0x{mask:x}" for mask in sorted({*_MASKS[fmt.channels], *own}))
    return ["-af", f"aformat=channel_layouts={layouts}"]


def without_padding(decoded: Iterable[bytes], info: WavInfo, flaws: Flaws) -> Iterator[bytes]:
    """Remove the encoder's delay and padding from the decoded samples of a compressed source."""
    pcm_format = decoded_format(info)
    block_align = pcm_format.block_align
    skip = info.fmt.padding_samples[0] * block_align
    held, given = b"", 0
    for chunk in decoded:
        held += chunk[skip:]
        skip = max(0, skip - len(chunk))
        ready = max(0, len(held) // block_align - info.max_padding_samples) * block_align
        yield _limit_decoded(held[:ready], pcm_format, flaws)
        held, given = held[ready:], given + ready
    samples = (given + len(held)) // block_align
    if not flaws.absent_samples:  # otherwise the padding is not there
        samples = info.audio_samples(samples)
    yield _limit_decoded(held[: max(0, samples * block_align - given)], pcm_format, flaws)


def _limit_decoded(chunk: bytes, pcm_format: PcmFormat, flaws: Flaws) -> bytes:
    if pcm_format.is_integer:
        return chunk
    return limit_floats(chunk, "<f4", pcm_format.channels, flaws)


def _raw_name(info: WavInfo) -> tuple[str, int]:
    byte_order = "be" if info.big_endian_samples else "le"
    match info.fmt.codec, info.fmt.bits_per_sample:
        case ((Codec.ALAW | Codec.MULAW), _):
            return info.fmt.codec, 1
        case Codec.PCM, 8:
            return "u8", 1
        case Codec.PCM, 32 if info.fmt.low_24_bits:
            return f"s24{byte_order}", 3
        case Codec.PCM, (40 | 48 | 56 | 64):
            return f"s32{byte_order}", 4
        case Codec.FLOAT, bits:
            return f"f{bits}{byte_order}", bits // 8
        case _, bits:
            return f"s{bits}{byte_order}", bits // 8


def read_samples(
    file: BinaryIO, info: WavInfo, sample_range: SampleRange, flaws: Flaws
) -> Generator[bytes]:
    """Yield a range of a raw source's samples, in `raw_format`. Ends early if the file has become shorter.

    Counts the samples in `flaws` that cannot be encoded as they are.
    """
    block_align = info.fmt.block_align
    start = sample_range.start_sample * block_align
    step = CHUNK_BYTES // block_align * block_align
    for chunk in _read_data(file, info, start, start + sample_range.samples * block_align, step):
        yield _to_raw_format(chunk, info, flaws)


def _read_data(file: BinaryIO, info: WavInfo, start: int, end: int, step: int) -> Iterator[bytes]:
    """Yield the bytes from `start` to `end`, counted over all ranges of the audio."""
    for data_range in info.data:
        position = data_range.offset + max(0, start)
        end_position = data_range.offset + min(end, data_range.size)
        while position < end_position:
            chunk = os.pread(file.fileno(), min(step, end_position - position), position)
            if not chunk:
                return
            position += len(chunk)
            yield chunk
        start, end = start - data_range.size, end - data_range.size


def _to_raw_format(chunk: bytes, info: WavInfo, flaws: Flaws) -> bytes:
    match info.fmt.codec, info.fmt.bits_per_sample:
        case Codec.PCM, 32 if info.fmt.low_24_bits:
            first = 1 if info.big_endian_samples else 0
            return _narrow(chunk, 4, range(first, first + 3))
        case Codec.PCM, (40 | 48 | 56 | 64) as bits:
            # ffmpeg has no raw format of wider integers, so each keeps its upper 32 bits.
            first = 0 if info.big_endian_samples else bits // 8 - 4
            return _narrow(chunk, bits // 8, range(first, first + 4))
        case Codec.FLOAT, bits:
            kind = f"{'>' if info.big_endian_samples else '<'}f{bits // 8}"
            return limit_floats(chunk, kind, info.fmt.channels, flaws, info.fmt.full_scale)
    return chunk


def _narrow(chunk: bytes, sample_bytes: int, kept: range) -> bytes:
    """Keep only these bytes of each sample."""
    narrow = bytearray(len(chunk) // sample_bytes * len(kept))
    for index, byte in enumerate(kept):
        narrow[index :: len(kept)] = chunk[byte::sample_bytes]
    return bytes(narrow)


def compressed_file(file: BinaryIO, info: WavInfo, flaws: Flaws) -> Generator[bytes]:
    """Yield a compressed source as a WAV that has only a format and a data chunk, of unknown size.

    Damaged blocks that the decoder would drop are replaced by silence, so that the audio after them keeps its time.
    """
    fmt = info.fmt.payload + b"\0" * (len(info.fmt.payload) % 2)
    yield b"RIFF" + _UNKNOWN_SIZE + b"WAVEfmt " + struct.pack("<I", len(info.fmt.payload)) + fmt
    yield b"data" + _UNKNOWN_SIZE
    block_align = info.fmt.block_align or 1
    step = max(1, CHUNK_BYTES // block_align) * block_align
    check = _find_check(info.fmt, flaws)
    for chunk in _read_data(file, info, 0, info.data_bytes, step):
        yield silence_damaged_blocks(chunk, info.fmt, flaws)
        if check:
            check.read(chunk)
    if check:
        check.finish()


def _find_check(fmt: FmtChunk, flaws: Flaws) -> FrameCheck | CutFrameCheck | None:
    match fmt.codec:
        case Codec.MP2 | Codec.MP3:
            return FrameCheck(flaws, fmt.stream_frames)
        case Codec.G723_1:
            return CutFrameCheck(flaws)
    return None
