"""The result types of the WAV reader."""

import struct
from dataclasses import dataclass

from shared.wav.fmt import Codec, FmtChunk

# A byte rate outside these limits comes from a broken header. 640 kbit/s is AC-3's highest rate.
_MIN_BYTE_RATE, _MAX_BYTE_RATE = 500, 80_000


@dataclass(frozen=True, slots=True)
class Chunk:
    """The place of a metadata chunk's payload, without any bytes that are missing at the end of the file."""

    id: bytes
    """The chunk's four-character code. W64: the first four bytes of its GUID."""
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class WavInfo:
    """The format of a WAV, the place of its samples, and its metadata chunks."""

    container: str
    """RIFF, RIFX, RF64, BW64 or W64."""
    fmt: FmtChunk
    big_endian: bool
    """The byte order of raw samples. Compressed audio has none."""
    data_offset: int
    data_bytes: int
    """The bytes of audio that are in the file. Raw: whole blocks only."""
    samples: int | None
    """Samples per channel. None for compressed audio, whose length only the decoder can tell."""
    chunks: tuple[Chunk, ...]
    """The metadata chunks in file order. An ID3v2 tag before the RIFF header is the first, as `id3 `."""
    warnings: tuple[str, ...]
    """Sentences for the user."""

    @property
    def duration_s(self) -> float | None:
        """Exact for raw audio. An estimate for compressed audio, or None if the header is not enough for one."""
        samples = self._estimate_samples() if self.samples is None else self.samples
        return None if samples is None else samples / self.fmt.sample_rate_hz

    def _estimate_samples(self) -> float | None:
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
        is_plausible = _MIN_BYTE_RATE <= byte_rate <= _MAX_BYTE_RATE
        return fmt.sample_rate_hz * self.data_bytes / byte_rate if is_plausible else None
