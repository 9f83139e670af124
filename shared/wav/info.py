"""What a WAV holds: the words in which `wav` says it."""

import struct
from dataclasses import dataclass

from shared.wav.fmt import RAW, Encoding

_MIN_BYTE_RATE = 500  # less is no codec but a wrong header, and so is
_MAX_BYTE_RATE = 80_000  # more: 640 kbit/s is AC-3's highest


@dataclass(frozen=True, slots=True)
class Chunk:
    """Where a metadata chunk's payload stands, as far as it is there. A W64 GUID is known by its first four bytes."""

    id: bytes
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class WavInfo:
    """What a WAV holds. Odd PCM widths are left-justified in their container; 8 bits are unsigned."""

    container: str
    """RIFF, RIFX, RF64, BW64 or W64"""
    encoding: Encoding
    channels: int
    sample_rate_hz: int
    block_align: int
    """bytes of one sample of all channels (raw) or of one block (compressed; may be 0 or 1 where blocks vary)"""
    bits_per_sample: int
    """raw: of one sample's container, a multiple of 8; compressed: as the file says"""
    channel_mask: int
    """WAVE_FORMAT_EXTENSIBLE's dwChannelMask; 0 when there is none"""
    big_endian: bool
    """byte order of raw samples; compressed audio has none"""
    fmt: bytes
    """payload of the `fmt ` chunk, little-endian; mended, to make a clean header, for compressed audio"""
    data_offset: int
    data_bytes: int
    """present in the file; raw: whole blocks only"""
    samples: int | None
    """per channel; None for compressed audio: count what the decoder gives"""
    chunks: tuple[Chunk, ...]
    """metadata, in file order; an ID3v2 tag in front of the WAV is the first, as `id3 `"""
    warnings: tuple[str, ...]
    """sentences for a person"""
    padding_samples: tuple[int, int] = (0, 0)
    """compressed: what the decoder gives in front of the audio and behind it"""
    ambisonic: bool = False
    """the channels are those of B-format (W, X, Y, Z, ...), not of speakers"""
    full_scale: int = 1
    """of floats"""

    @property
    def raw(self) -> bool:
        """Whether the samples go to the encoder as they are."""
        return self.encoding in RAW

    @property
    def duration_s(self) -> float | None:
        """Exact for raw audio; for compressed audio an estimate, or None where the header does not say."""
        samples = self._estimated_samples() if self.samples is None else self.samples
        return None if samples is None else samples / self.sample_rate_hz

    def _estimated_samples(self) -> float | None:
        blocks = self.data_bytes / max(self.block_align, 1)
        match self.encoding:
            case Encoding.IMA_ADPCM:
                payload_bits = 8 * (self.block_align - 4 * self.channels)
                return blocks * (1 + payload_bits / (self.channels * (self.bits_per_sample or 4)))
            case Encoding.MS_ADPCM:
                return blocks * (2 + 2 * (self.block_align - 7 * self.channels) / self.channels)
            case Encoding.GSM:
                return blocks * 320
            case Encoding.YAMAHA_ADPCM | Encoding.G722:
                return 2 * self.data_bytes / self.channels
        (byte_rate,) = struct.unpack_from("<I", self.fmt, 8)
        return (
            self.sample_rate_hz * self.data_bytes / byte_rate
            if _MIN_BYTE_RATE <= byte_rate <= _MAX_BYTE_RATE
            else None
        )
