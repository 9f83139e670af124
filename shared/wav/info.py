"""The result types of the WAV reader."""

from dataclasses import dataclass

from shared.wav.fmt import FmtChunk

MIN_MP3_PADDING_SAMPLES = 47
"""LAME adds 576 to 1,727 samples at the end. The decoder needs 529 of them to give the last samples of the audio."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """The place of a metadata chunk's payload, without any bytes that are missing at the end of the file."""

    id: bytes
    """The chunk's four-character code. W64: the first four bytes of its GUID."""
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class DataRange:
    """The place of audio in the file. Raw audio, and audio that another range follows: whole blocks only."""

    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class WavInfo:
    """The format of a WAV, the place of its samples, and its metadata chunks."""

    container: str
    """RIFF, RIFX, RF64, BW64 or W64."""
    fmt: FmtChunk
    big_endian: bool
    """The byte order of the container."""
    data: tuple[DataRange, ...]
    """The audio in file order: one range, or several if the file has several data chunks or joined WAVs."""
    samples: int | None
    """Samples per channel. None for compressed audio, whose length only the decoder can tell."""
    chunks: tuple[Chunk, ...]
    """The metadata chunks in file order. An ID3v2 tag before the RIFF header is the first, as `id3 `."""
    warnings: tuple[str, ...]
    """Sentences for the user."""
    fact_samples: int | None = None
    """Compressed: the samples of each channel according to the `fact` chunk."""

    @property
    def big_endian_samples(self) -> bool:
        """The byte order of raw samples. Compressed audio has none."""
        return self.big_endian != self.fmt.swapped

    @property
    def data_offset(self) -> int:
        return self.data[0].offset

    @property
    def data_bytes(self) -> int:
        return sum(data_range.size for data_range in self.data)

    @property
    def duration_s(self) -> float | None:
        """Exact for raw audio, an estimate for compressed audio. None if the header does not allow an estimate."""
        samples = self.fmt.estimate_samples(self.data_bytes)
        return None if samples is None else samples / self.fmt.sample_rate_hz

    @property
    def max_padding_samples(self) -> int:
        """The maximum that `audio_samples` cuts off at the end of compressed audio."""
        _, after = self.fmt.padding_samples
        return after or 2 * (self.fmt.frame_samples or self.fmt.block_samples or 0)

    def audio_samples(self, decoded: int) -> int:
        """Return how many of the `decoded` samples are audio and not padding. They start at the audio's first sample.

        Encoders add up to one block, and some add another whole block. Many `fact` chunks are wrong: one that differs
        by more is ignored.
        """
        before, after = self.fmt.padding_samples
        if after or not self.fact_samples:
            return max(0, decoded - after)
        if self.fmt.frame_samples:
            lengths: tuple[int, ...] = (self.fact_samples, self.fact_samples - before)
            padding = range(
                MIN_MP3_PADDING_SAMPLES, MIN_MP3_PADDING_SAMPLES + self.fmt.frame_samples
            )
        else:
            lengths, padding = (self.fact_samples,), range(2 * (self.fmt.block_samples or 0))
        return next((each for each in lengths if each > 0 and decoded - each in padding), decoded)
