"""Compressed streams stored as 16-bit PCM, written by ffmpeg."""

import io
import subprocess
from collections.abc import Callable

import imageio_ffmpeg
import numpy as np
import pytest

from shared.errors import BadWav
from shared.wav import read_wav
from tests import wavs


def through_ffmpeg(*options: str) -> bytes:
    tone = wavs.encode(wavs.sine(48000, 2))
    raw = ["-f", "s16le", "-ar", "48000", "-ac", "2", "-i", "-"]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *raw, *options, "-"]
    return subprocess.run(command, input=tone, check=True, capture_output=True).stdout


def wav_of(data: bytes, *, bits: int = 16, channels: int = 2) -> bytes:
    fmt = wavs.fmt_payload(channels=channels, sample_rate_hz=48000, bits=bits)
    return wavs.wrap([wavs.chunk(b"fmt ", fmt), wavs.chunk(b"data", data)])


def swapped(stream: bytes) -> bytes:
    return np.frombuffer(stream[: len(stream) // 2 * 2], ">u2").astype("<u2").tobytes()


def dolby_e(bits: int = 16) -> bytes:
    """Return bursts of Dolby E, one for each frame of a 25 Hz video, with noise as their data."""
    preamble = {
        16: (0xF872, 0x4E1F, 0x1C, 0xF000),
        20: (0x6F8720, 0x54E1F0, 0x1C00, 0xF00000),
        24: (0x96F872, 0xA54E1F, 0x1C00, 0xF00000),
    }[bits]
    width = -(-bits // 8)
    start = b"".join(word.to_bytes(width, "little") for word in preamble)
    noise = np.random.default_rng(bits).bytes(1500 * 2 * width)
    return 10 * (start + noise).ljust(1920 * 2 * width, b"\0")


DTS = ["-c:a", "dca", "-strict", "-2", "-b:a", "768k"]
SPDIF = ["-f", "spdif"]


@pytest.mark.slow
@pytest.mark.parametrize("silence", [0, 400, 192_000])
@pytest.mark.parametrize("cut", [0, 1002])
@pytest.mark.parametrize(
    ("stream", "name"),
    [
        (lambda: swapped(through_ffmpeg(*DTS, "-f", "dts")), "DTS"),
        (lambda: (bytes.fromhex("ff1f00e8f107dffcfdffff07") + bytes(4000)) * 5, "DTS"),
        (lambda: through_ffmpeg(*DTS, *SPDIF), "DTS"),
        (lambda: through_ffmpeg("-c:a", "ac3", *SPDIF), "Dolby AC-3"),
        (lambda: through_ffmpeg("-c:a", "eac3", *SPDIF), "Dolby E-AC-3"),
        (lambda: through_ffmpeg("-c:a", "mp2", *SPDIF), "an S/PDIF stream"),
        (lambda: through_ffmpeg("-c:a", "ac3", "-f", "ac3"), "Dolby AC-3"),
        (lambda: swapped(through_ffmpeg("-c:a", "ac3", "-f", "ac3")), "Dolby AC-3"),
        (lambda: through_ffmpeg("-c:a", "eac3", "-f", "eac3"), "Dolby E-AC-3"),
        (dolby_e, "Dolby E"),
    ],
    ids=[
        *("DTS", "DTS of 14 bits", "DTS over S/PDIF", "AC-3 over S/PDIF", "E-AC-3 over S/PDIF"),
        *("MP2 over S/PDIF", "AC-3", "swapped AC-3", "E-AC-3", "Dolby E"),
    ],
)
def test_a_disguised_stream_is_refused(
    stream: Callable[[], bytes], name: str, silence: int, cut: int
) -> None:
    wav = wav_of(bytes(silence) + stream()[cut:])
    with pytest.raises(BadWav, match=f"contains {name} stored as PCM"):
        read_wav(io.BytesIO(wav), len(wav))


@pytest.mark.parametrize("bits", [20, 24])
@pytest.mark.parametrize("container_bits", [24, 32])
@pytest.mark.parametrize("cut_samples", [0, 333])
def test_dolby_e_in_wide_words_is_refused(bits: int, container_bits: int, cut_samples: int) -> None:
    stream = np.frombuffer(dolby_e(bits), np.uint8).reshape(-1, 3)[2 * cut_samples :]
    wide = np.pad(stream, ((0, 0), (container_bits // 8 - 3, 0)))
    wav = wav_of(wide.tobytes(), bits=container_bits)
    with pytest.raises(BadWav, match="contains Dolby E stored as PCM"):
        read_wav(io.BytesIO(wav), len(wav))


@pytest.mark.parametrize("big_endian", [False, True])
def test_a_stream_saved_as_floats_is_refused(*, big_endian: bool) -> None:
    integers = np.frombuffer(through_ffmpeg("-c:a", "ac3", *SPDIF), "<i2")
    samples = (integers / 32768).reshape(-1, 2)
    container = "RIFX" if big_endian else "RIFF"
    wav = wavs.build(samples, codec="float", bits=32, container=container)
    with pytest.raises(BadWav, match="contains Dolby AC-3 stored as PCM"):
        read_wav(io.BytesIO(wav), len(wav))


def test_a_stream_on_two_of_six_channels_is_refused() -> None:
    six = np.zeros((19200, 6), "<i2")
    six[:, 2:4] = np.frombuffer(dolby_e(), "<i2").reshape(-1, 2)
    wav = wav_of(six.tobytes(), channels=6)
    with pytest.raises(BadWav, match="contains Dolby E stored as PCM"):
        read_wav(io.BytesIO(wav), len(wav))


@pytest.mark.slow
@pytest.mark.parametrize("bits", [16, 24, 32])
@pytest.mark.parametrize("seed", range(20))
def test_noise_is_not_a_stream(bits: int, seed: int) -> None:
    noise = np.random.default_rng(seed).bytes(40_000 * 2 * bits // 8)
    wav = wav_of(noise, bits=bits)
    assert read_wav(io.BytesIO(wav), len(wav)).warnings == ()


@pytest.mark.parametrize("sample", [32767, 32766, -32768, 8191])
def test_a_square_wave_is_not_a_stream(sample: int) -> None:
    square = np.tile(np.array([sample, -sample - 1, -sample - 1, sample], "<i2"), 500)
    wav = wav_of(square.tobytes())
    assert read_wav(io.BytesIO(wav), len(wav)).samples == 1000


@pytest.mark.parametrize("container", ["RIFF", "RIFX"])
@pytest.mark.parametrize(("bits", "channels"), [(24, 1), (24, 2), (32, 2), (24, 6)])
def test_dsd_in_pcm_is_refused(bits: int, channels: int, container: str) -> None:
    """Players for DACs save it like that. Read as PCM, it is quiet noise."""
    frames = np.random.default_rng(1).integers(0, 256, (5000, channels, bits // 8), np.uint8)
    frames[:, :, 0] = np.where(np.arange(5000) % 2, 0x05, 0xFA)[:, None]
    raw = (frames if container == "RIFX" else frames[:, :, ::-1]).tobytes()
    fmt = wavs.fmt_payload(bits=bits, channels=channels, big_endian=container == "RIFX")
    chunks = [wavs.chunk(b"fmt ", fmt, container=container)]
    wav = wavs.wrap([*chunks, wavs.chunk(b"data", raw, container=container)], container=container)
    with pytest.raises(BadWav, match=r"contains DSD audio \(DoP\) stored as PCM"):
        read_wav(io.BytesIO(wav), len(wav))


@pytest.mark.parametrize("silent_samples", [20_000, 20_001, 50_003])
def test_a_stream_in_24_bits_after_silence_is_refused(silent_samples: int) -> None:
    stream = np.frombuffer(dolby_e(20), np.uint8).reshape(-1, 3)
    wav = wav_of(bytes(3 * 2 * silent_samples) + stream.tobytes(), bits=24)
    with pytest.raises(BadWav, match="contains Dolby E stored as PCM"):
        read_wav(io.BytesIO(wav), len(wav))
