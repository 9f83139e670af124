"""Results of the WAV reader, made without files."""

from shared.wav import Codec, DataRange, FmtChunk, WavInfo


def wav_info(
    *,
    samples: int | None = 44100,
    rate_hz: int = 44100,
    channels: int = 2,
    data_bytes: int = 0,
    channel_mask: int = 0,
    ambisonic: bool = False,
) -> WavInfo:
    return WavInfo(
        container="RIFF",
        fmt=FmtChunk(
            codec=Codec.MP3 if samples is None else Codec.PCM,
            channels=channels,
            sample_rate_hz=rate_hz,
            block_align=2 * channels,
            bits_per_sample=16,
            channel_mask=channel_mask,
            payload=bytes(16),
            ambisonic=ambisonic,
        ),
        big_endian=False,
        data=(DataRange(44, data_bytes),),
        samples=samples,
        chunks=(),
        warnings=(),
    )
