"""What a WAV holds: the words in which `wav` says it."""

import struct
from dataclasses import dataclass

from shared.wav.fmt import Codec, FmtChunk

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
    fmt: FmtChunk
    big_endian: bool
    """byte order of raw samples; compressed audio has none"""
    data_offset: int
    data_bytes: int
    """present in the file; raw: whole blocks only"""
    samples: int | None
    """per channel; None for compressed audio: count what the decoder gives"""
    chunks: tuple[Chunk, ...]
    """metadata, in file order; an ID3v2 tag in front of the WAV is the first, as `id3 `"""
    warnings: tuple[str, ...]
    """sentences for a person"""

    @property
    def duration_s(self) -> float | None:
        """Exact for raw audio; for compressed audio an estimate, or None where the header does not say."""
        samples = self._estimated_samples() if self.samples is None else self.samples
        return None if samples is None else samples / self.fmt.sample_rate_hz

    def _estimated_samples(self) -> float | None:
        fmt = self.fmt
        blocks = self.data_bytes / max(fmt.block_align, 1)
        match fmt.codec:
            case Codec.IMA_ADPCM:
                payload_bits = 8 * (fmt.block_align - 4 * fmt.channels)
                return blocks * (1 + payload_bits / (fmt.channels * (fmt.bits_per_sample or 4)))
            case Codec.MS_ADPCM:
                return blocks * (2 + 2 * (fmt.block_align - 7 * fmt.channels) / fmt.channels)
            case Codec.GSM:
                return blocks * 320
            case Codec.YAMAHA_ADPCM | Codec.G722:
                return 2 * self.data_bytes / fmt.channels
        (byte_rate,) = struct.unpack_from("<I", fmt.payload, 8)
        return (
            fmt.sample_rate_hz * self.data_bytes / byte_rate
            if _MIN_BYTE_RATE <= byte_rate <= _MAX_BYTE_RATE
            else None
        )
