"""The `fmt ` chunk of a WAV: codec, channels, sample rate, block size.

In: the chunk's payload (at least 14 bytes) and its byte order. Out: a `FmtChunk`. Raises `BadWav` with the reason.
Sources: Microsoft, "Multiple Channel Audio Data and WAVE Files" (WAVEFORMATEX, WAVEFORMATEXTENSIBLE), and the
format tags in mmreg.h; the GUIDs of ambisonic B-format files come from Richard Dobson.
"""

import struct
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import chain, repeat
from typing import Self

from shared.errors import BadWav

MIN_FMT_BYTES = 14
MAX_FMT_BYTES = 4096  # the longest real ones (MS ADPCM with its own coefficients) stay below 1100
MIN_RATE_HZ = 1000
MAX_RATE_HZ = 768_000
MAX_CHANNELS = 64


class Codec(StrEnum):
    """How samples are stored. The value of a compressed codec is the name of ffmpeg's decoder."""

    PCM = "pcm"
    FLOAT = "float"
    ALAW = "alaw"
    MULAW = "mulaw"
    MS_ADPCM = "adpcm_ms"
    IMA_ADPCM = "adpcm_ima_wav"
    YAMAHA_ADPCM = "adpcm_yamaha"
    G722 = "g722"
    G726 = "g726"
    GSM = "gsm_ms"
    TRUESPEECH = "truespeech"
    MP2 = "mp2float"
    MP3 = "mp3float"
    AC3 = "ac3"


_RAW_CODECS = frozenset({Codec.PCM, Codec.FLOAT, Codec.ALAW, Codec.MULAW})

# The limits of ffmpeg's decoders.
_MAX_CHANNELS_OF = {
    Codec.MS_ADPCM: 2,
    Codec.IMA_ADPCM: 2,
    Codec.YAMAHA_ADPCM: 2,
    Codec.G722: 1,
    Codec.G726: 1,
    Codec.GSM: 1,
    Codec.TRUESPEECH: 1,
    Codec.MP2: 2,
    Codec.MP3: 2,
    Codec.AC3: 6,
}
_GSM_BLOCK_BYTES = 65
_EXTENSIBLE = 0xFFFE
_MP3 = 0x0055
_CODECS = {
    0x0001: Codec.PCM,
    0x0002: Codec.MS_ADPCM,
    0x0003: Codec.FLOAT,
    0x0006: Codec.ALAW,
    0x0007: Codec.MULAW,
    0x0011: Codec.IMA_ADPCM,
    0x0020: Codec.YAMAHA_ADPCM,
    0x0022: Codec.TRUESPEECH,
    0x0031: Codec.GSM,
    0x0045: Codec.G726,
    0x0050: Codec.MP2,
    0x0055: Codec.MP3,
    0x028F: Codec.G722,
    0x2000: Codec.AC3,
}
_UNSUPPORTED = {
    0x000A: "WMA Voice",
    0x0010: "OKI ADPCM",
    0x0014: "G.723 ADPCM",
    0x0038: "AMR or NMS ADPCM",
    0x0040: "G.721 ADPCM",
    0x0042: "G.723.1",
    0x0069: "Xbox ADPCM",
    0x0083: "G.729",
    0x0092: "Dolby AC-3 over S/PDIF",
    0x00FF: "AAC",
    0x0130: "Sipro",
    0x0160: "WMA",
    0x0161: "WMA",
    0x0162: "WMA Pro",
    0x0163: "WMA Lossless",
    0x0166: "XMA2",
    0x0270: "ATRAC3",
    0x1600: "AAC",
    0x2001: "DTS",
    0x674F: "Ogg Vorbis",
    0xF1AC: "FLAC",
}
_KS_GUID_TAIL = bytes.fromhex("0000 1000 8000 00aa00389b71")
_AMBISONIC_GUID_TAIL = bytes.fromhex("2107 d311 8644 c8c1ca000000")

# Field widths in bytes after the first 18 bytes, for the tags whose fields are not all 16 bits wide.
_EXTENSION_WIDTHS = {_EXTENSIBLE: (2, 4, 4, 2, 2), _MP3: (2, 4, 2, 2, 2)}


@dataclass(frozen=True, slots=True)
class FmtChunk:
    """A checked `fmt ` chunk.

    PCM samples whose width is no multiple of 8 bits are left-justified in whole bytes. 8-bit samples are unsigned.
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
    ambisonic: bool = False
    """True if the channels are B-format (W, X, Y, Z, ...) instead of speakers."""
    full_scale: int = 1
    """The value of full scale in float samples."""

    @property
    def is_raw(self) -> bool:
        """True if the encoder can take the samples without a decoder."""
        return self.codec in _RAW_CODECS

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
    codec = _find_codec(tag)
    _check_bounds(_MAX_CHANNELS_OF.get(codec, MAX_CHANNELS), channels, rate_hz)
    block_align, bits = _repair_layout(codec, channels, block_align, bits)
    if codec not in _RAW_CODECS:
        fmt = fmt[:12] + struct.pack("<HH", block_align, bits) + fmt[16:]
    return FmtChunk(codec, channels, rate_hz, block_align, bits, mask, fmt, ambisonic=ambisonic)


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
    if tail == _AMBISONIC_GUID_TAIL:
        return tag, 0, True
    if tail != _KS_GUID_TAIL:
        raise BadWav("The WAV's audio has an unknown sub-format. Export it as PCM and upload that.")
    return tag, mask, False


def _find_codec(tag: int) -> Codec:
    if tag in _CODECS:
        return _CODECS[tag]
    name = _UNSUPPORTED.get(tag, "an unknown kind of audio")
    raise BadWav(
        f"This WAV contains {name} (format tag 0x{tag:04X}), which is not supported. Export it as PCM."
    )


def _check_bounds(max_channels: int, channels: int, rate_hz: int) -> None:
    if not 1 <= channels <= max_channels:
        allowed = "1" if max_channels == 1 else f"1 to {max_channels}"
        raise BadWav(
            f"The WAV has {channels} channels, but its audio format supports {allowed}. "
            f"Export it as PCM with 1 to {MAX_CHANNELS} channels."
        )
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise BadWav(
            f"The WAV has a sample rate of {rate_hz} Hz. "
            f"Export it again with {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz."
        )


def _repair_layout(codec: Codec, channels: int, block_align: int, bits: int) -> tuple[int, int]:
    """Return block align and bits per sample, corrected if only one value is possible. Raises `BadWav`."""
    match codec:
        case Codec.ALAW | Codec.MULAW:
            return channels, 8
        case Codec.PCM | Codec.FLOAT:
            return _repair_raw_layout(codec, channels, block_align, bits)
        case Codec.GSM:
            if block_align not in (0, _GSM_BLOCK_BYTES):
                raise _contradictory_layout(channels, block_align, bits)
            return _GSM_BLOCK_BYTES, bits
        case Codec.IMA_ADPCM | Codec.MS_ADPCM:
            header_bytes = 4 if codec is Codec.IMA_ADPCM else 7
            if block_align <= header_bytes * channels or bits not in (0, 3, 4):
                raise _contradictory_layout(channels, block_align, bits)
            return block_align, bits or 4  # ffmpeg rejects 0 for IMA
    return block_align, bits


def _repair_raw_layout(codec: Codec, channels: int, block_align: int, bits: int) -> tuple[int, int]:
    """Return block align, computed if it is 0, and 8 times the bytes of a sample. Raises `BadWav`."""
    block_align = block_align or channels * -(-bits // 8)
    sample_bytes, rest = divmod(block_align, channels)
    widths = (4, 8) if codec is Codec.FLOAT else range(1, 9)
    fits = bits in (0, 8 * sample_bytes)
    if codec is Codec.PCM and not fits:
        # Real files store 24 bits in 4 bytes, and widths that are no multiple of 8. Anything else, such as 16 bits in
        # 4 bytes, is a wrong block align.
        fits = bits < 8 * sample_bytes and (bits % 8 > 0 or (bits, sample_bytes) == (24, 4))
    if sample_bytes in (5, 6, 7):
        fits = sample_bytes == -(-bits // 8)  # no known writer uses more bytes than the bits need
    if rest or sample_bytes not in widths or not fits:
        raise _contradictory_layout(channels, block_align, bits)
    return block_align, 8 * sample_bytes


def _contradictory_layout(channels: int, block_align: int, bits: int) -> BadWav:
    return BadWav(
        f"The WAV's header contradicts itself: blocks of {block_align} bytes for {channels} "
        f"channel(s) of {bits} bits. Export it again."
    )
