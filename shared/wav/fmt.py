"""The `fmt ` chunk of a WAV: codec, channels, sample rate, block size.

In: the chunk's payload (at least 14 bytes) and its byte order. Out: a `FmtChunk`. Raises `BadWav` with the reason.
Sources: Microsoft, "Multiple Channel Audio Data and WAVE Files" (WAVEFORMATEX, WAVEFORMATEXTENSIBLE). The
GUIDs of ambisonic B-format files come from Richard Dobson, the GUIDs of AC-3 and E-AC-3 from ffmpeg.
"""

import struct
from dataclasses import dataclass, replace
from itertools import chain, repeat
from typing import Self

from shared.errors import BadWav
from shared.wav.codecs import EAC3_TAG, MAX_CHANNELS_OF, RAW_CODECS, Codec, find_codec, unsupported
from shared.wav.layout import (
    adpcm_warning,
    coefficients_warning,
    layout_warning,
    repair_byte_rate,
    repair_layout,
)

MIN_FMT_BYTES = 14
MAX_FMT_BYTES = 4096  # the longest real ones (MS ADPCM with its own coefficients) stay below 1100
MIN_RATE_HZ = 1000
MAX_RATE_HZ = 768_000
MAX_CHANNELS = 64
# A byte rate outside these limits comes from a broken header. 640 kbit/s is AC-3's highest rate.
_MIN_BYTE_RATE, _MAX_BYTE_RATE = 500, 80_000
_EXTENSIBLE = 0xFFFE
_ALL_SPEAKERS = (1 << 18) - 1  # the positions that mmreg.h names
_MP3 = 0x0055
_KS_GUID_TAIL = bytes.fromhex("0000 1000 8000 00aa00389b71")
_DOLBY_GUIDS = {
    bytes.fromhex("2c806de0 46db cf11 b4d100805f6cbbea"): 0x2000,
    bytes.fromhex("af87fba7 022d fb42 a4d405cd93843bdd"): EAC3_TAG,
}
_ATRAC_GUIDS = {
    bytes.fromhex("bfaa23e9 58cb 7144 a119fffa01e4ce62"): "ATRAC3plus",
    bytes.fromhex("d242e147 ba36 8d4d 88fc61654f8c836c"): "ATRAC9",
}
_IEC61937_GUID_TAIL = bytes.fromhex("ea0c 1000 8000 00aa00389b71")
_AMBISONIC_GUID_TAIL = bytes.fromhex("2107 d311 8644 c8c1ca000000")

# Field widths in bytes after the first 18 bytes, for the tags whose fields are not all 16 bits wide.
_EXTENSION_WIDTHS = {_EXTENSIBLE: (2, 4, 4, 2, 2), _MP3: (2, 4, 2, 2, 2)}


@dataclass(frozen=True, slots=True)
class FmtChunk:
    """A checked `fmt ` chunk.

    PCM samples whose width is not a multiple of 8 bits are left-justified in whole bytes. 8-bit samples are unsigned.
    """

    codec: Codec
    channels: int
    sample_rate_hz: int
    block_align: int
    """Raw: bytes of one sample of all channels. Compressed: bytes of a block, or 0 or 1 if blocks vary."""
    bits_per_sample: int
    """Raw: 8 times the bytes of one sample. Compressed: as in the file."""
    channel_mask: int
    """The dwChannelMask of WAVE_FORMAT_EXTENSIBLE, or 0."""
    payload: bytes
    """The chunk's payload, little-endian. Compressed: with the block align and bits corrected for the decoder."""
    padding_samples: tuple[int, int] = (0, 0)
    """Compressed: the samples that the decoder adds before and after the audio."""
    tag_bytes: int = 0
    """The size of an ID3 tag at the start of compressed audio."""
    frame_samples: int = 0
    """MP3 that does not declare its end: the samples of a frame."""
    stream_frames: int = 0
    """MP3: the number of frames according to its Xing header, or 0."""
    ambisonic: bool = False
    """True if the channels are B-format (W, X, Y, Z, ...) instead of speakers."""
    full_scale: int = 1
    """The value of full scale in float samples."""
    low_24_bits: bool = False
    """True if the samples are the lower three bytes of four."""
    swapped: bool = False
    """True if the bytes of a sample are in the other order than those of the header."""
    late_bytes: int = 0
    """The bytes of the data before the first sample."""
    warnings: tuple[str, ...] = ()
    """Sentences for the user about corrections of this chunk."""

    @property
    def is_raw(self) -> bool:
        """True if the encoder can take the samples without a decoder."""
        return self.codec in RAW_CODECS

    @property
    def block_samples(self) -> int | None:
        """The samples of each channel in a block of compressed audio, or None if blocks vary."""
        match self.codec:
            case Codec.IMA_ADPCM | Codec.XBOX_ADPCM:
                payload_bits = 8 * (self.block_align - 4 * self.channels)
                first = 1 if self.codec is Codec.IMA_ADPCM else 0
                return first + payload_bits // (self.channels * (self.bits_per_sample or 4))
            case Codec.MS_ADPCM:
                return 2 + 2 * (self.block_align - 7 * self.channels) // self.channels
            case Codec.GSM:
                return 320
        return None

    def estimate_samples(self, data_bytes: int) -> float | None:
        """Return the samples of each channel in the data: exact for raw audio, or None if the length is unknown."""
        if self.is_raw or self.block_samples:
            return data_bytes * (self.block_samples or 1) / self.block_align
        if self.codec in (Codec.YAMAHA_ADPCM, Codec.OKI_ADPCM, Codec.G722):
            return 2 * data_bytes / self.channels
        if self.codec is Codec.FLAC:
            return None  # its byte rate is that of the decoded samples
        (byte_rate,) = struct.unpack_from("<I", self.payload, 8)
        is_plausible = _MIN_BYTE_RATE <= byte_rate <= _MAX_BYTE_RATE
        return self.sample_rate_hz * data_bytes / byte_rate if is_plausible else None

    def with_warning(self, warning: str) -> Self:
        return replace(self, warnings=(*self.warnings, warning))

    def with_stream(self, channels: int, rate_hz: int) -> Self:
        """Return a copy with the channels and the rate that the stream itself declares."""
        payload = self.payload[:2] + struct.pack("<HI", channels, rate_hz) + self.payload[8:]
        return replace(self, channels=channels, sample_rate_hz=rate_hz, payload=payload)


def parse_fmt(payload: bytes, *, big_endian: bool) -> FmtChunk:
    """Decode and check the payload of a `fmt ` chunk. Raises `BadWav`."""
    if len(payload) < MIN_FMT_BYTES:
        raise BadWav("The WAV's fmt chunk is too short to describe its audio. Export it again.")
    fmt = _to_little_endian(payload) if big_endian else payload
    tag, channels, rate_hz, _, block_align = struct.unpack_from("<HHIIH", fmt)
    bits = int.from_bytes(fmt[14:16], "little")
    mask, ambisonic = 0, False
    if tag == _EXTENSIBLE:
        tag, mask, ambisonic = _parse_extension(fmt)
    codec = find_codec(tag)
    _check_bounds(codec, channels, rate_hz)
    declared = block_align
    block_align, bits = repair_layout(codec, channels, block_align, bits, fmt)
    warning = None
    if codec in RAW_CODECS:
        warning = layout_warning(channels, declared, block_align)
    elif block_align != declared and declared and codec is not Codec.GSM:
        warning = adpcm_warning(declared, block_align)
    if codec not in RAW_CODECS:
        fmt = fmt[:12] + struct.pack("<HH", block_align, bits) + fmt[16:]
    if codec is Codec.MS_ADPCM:
        warning = warning or coefficients_warning(fmt)
    if codec is Codec.G726:
        fmt, warning = repair_byte_rate(fmt, rate_hz, bits)
    parsed = FmtChunk(codec, channels, rate_hz, block_align, bits, mask, fmt, ambisonic=ambisonic)
    return parsed.with_warning(warning) if warning else parsed


def _to_little_endian(payload: bytes) -> bytes:
    """Swap every field: RIFX stores all of them big-endian, including those after cbSize."""
    tag = int.from_bytes(payload[:2], "big")
    swapped, at = b"", 0
    for width in chain((2, 2, 4, 4, 2, 2, 2), _EXTENSION_WIDTHS.get(tag, repeat(2))):
        if at + width > len(payload):
            break
        swapped += payload[at : at + width][::-1]
        at += width
    return swapped + payload[at:]


def _parse_extension(fmt: bytes) -> tuple[int, int, bool]:
    """Return the format tag from the sub-format GUID, the channel mask, and whether the audio is ambisonic."""
    if len(fmt) < 40:
        raise BadWav(
            "The WAV uses WAVE_FORMAT_EXTENSIBLE but does not name its sub-format. Export it again."
        )
    mask, tag, tail = struct.unpack_from("<II12s", fmt, 20)
    if mask & ~_ALL_SPEAKERS:
        mask = 0  # a program wrote something else there, such as the size of the data
    if fmt[24:40] in _DOLBY_GUIDS:
        return _DOLBY_GUIDS[fmt[24:40]], mask, False
    if fmt[24:40] in _ATRAC_GUIDS:
        raise unsupported(_ATRAC_GUIDS[fmt[24:40]], "by its sub-format")
    if fmt[28:40] == _IEC61937_GUID_TAIL:
        raise BadWav(
            "The WAV contains a Dolby or DTS stream for S/PDIF. Decode it to PCM and upload the result."
        )
    if tail == _AMBISONIC_GUID_TAIL:
        return tag, 0, True
    if tail != _KS_GUID_TAIL:
        raise BadWav("The WAV's audio has an unknown sub-format. Export it as PCM and upload that.")
    return tag, mask, False


def _check_bounds(codec: Codec, channels: int, rate_hz: int) -> None:
    max_channels = MAX_CHANNELS_OF.get(codec, MAX_CHANNELS)
    if not 1 <= channels <= max_channels:
        allowed = "1" if max_channels == 1 else f"1 to {max_channels}"
        raise BadWav(
            f"The WAV has {channels} channels, but {codec.label} in a WAV has {allowed}. "
            f"Export it as PCM with 1 to {MAX_CHANNELS} channels."
        )
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise BadWav(
            f"The WAV has a sample rate of {rate_hz} Hz. "
            f"Export it again with {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz."
        )
