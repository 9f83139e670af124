"""Samples in another byte order, at another byte or of another width than the header says."""

import io
from pathlib import Path

import numpy as np
import pytest

from shared.wav import Codec, WavInfo, read_wav
from tests import wavs
from tests.worker.conversion import convert, snr_db, sweep

RNG = np.random.default_rng(8)
FRAMES = 30_000


def music(channels: int = 1) -> wavs.Samples:
    noise = RNG.standard_normal((FRAMES, channels))
    return np.asarray(0.6 * wavs.sine(FRAMES, channels) + 0.01 * noise)


def read(wav: bytes) -> WavInfo:
    return read_wav(io.BytesIO(wav), len(wav))


def samples_of(wav: bytes, info: WavInfo) -> wavs.Samples:
    raw = wav[info.data_offset : info.data_offset + info.data_bytes]
    return wavs.decode(
        raw,
        channels=info.fmt.channels,
        codec=str(info.fmt.codec),
        bits=info.fmt.bits_per_sample,
        big_endian=info.big_endian_samples,
    )


@pytest.mark.slow
@pytest.mark.parametrize("silent", [0, 50_000])
@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize("container", ["RIFF", "RIFX"])
@pytest.mark.parametrize(
    ("codec", "bits"), [("pcm", 16), ("pcm", 24), ("pcm", 32), ("float", 32), ("float", 64)]
)
def test_swapped_bytes_are_read(
    codec: str, bits: int, container: str, channels: int, silent: int
) -> None:
    """Programs on big-endian machines write a little-endian header alone."""
    expected = np.concatenate([np.zeros((silent, channels)), music(channels)])
    raw = wavs.encode(expected, codec=codec, bits=bits, big_endian=container == "RIFF")
    wav = wavs.file_of(raw, container=container, codec=codec, bits=bits, channels=channels)
    info = read(wav)
    assert np.allclose(samples_of(wav, info), expected, atol=2**-14)
    (warning,) = info.warnings
    assert f"in the other order than in a {container}" in warning


@pytest.mark.parametrize(("bits", "late_bytes"), [(16, 1), (24, 1), (24, 2)])
@pytest.mark.parametrize("channels", [1, 2])
def test_samples_that_start_late_are_read(bits: int, late_bytes: int, channels: int) -> None:
    """A header of 44 bytes, written over samples of 3 bytes, leaves a part of a sample after it."""
    expected = music(channels)
    raw = bytes(late_bytes) + wavs.encode(expected, bits=bits)
    wav = wavs.file_of(raw, bits=bits, channels=channels)
    info = read(wav)
    assert np.allclose(samples_of(wav, info)[:1000], expected[:1000], atol=2**-14)
    assert f"start {late_bytes} byte(s) later" in info.warnings[0]


@pytest.mark.parametrize(
    ("said", "bits"),
    [(("pcm", 16), 32), (("pcm", 64), 64), (("float", 32), 64), (("float", 64), 32)],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_floats_of_another_width_are_read(said: tuple[str, int], bits: int, channels: int) -> None:
    expected = music(channels)
    raw = wavs.encode(expected, codec="float", bits=bits)
    wav = wavs.file_of(raw, codec=said[0], bits=said[1], channels=channels)
    info = read(wav)
    assert (info.fmt.codec, info.fmt.bits_per_sample) == (Codec.FLOAT, bits)
    assert np.allclose(samples_of(wav, info), expected)
    (warning,) = info.warnings
    assert f"but the samples are {bits} bits of float" in warning


def quiet(seed: int) -> wavs.Samples:
    steps = np.random.default_rng(seed).integers(-3, 4, (FRAMES, 2))
    return np.asarray(steps / 128)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("codec", "bits"), [("pcm", 16), ("pcm", 24), ("pcm", 32), ("float", 32)])
@pytest.mark.parametrize(
    "noise",
    [
        lambda seed: np.random.default_rng(seed).uniform(-1, 1, (FRAMES, 2)),
        lambda seed: np.random.default_rng(seed).normal(0, 0.001, (FRAMES, 2)),
        lambda seed: np.random.default_rng(seed).integers(-1, 2, (FRAMES, 2)) / 2**15,
        quiet,
        lambda seed: 0.9 * np.sin(np.arange(2 * FRAMES).reshape(-1, 2) * (1.0 + seed / 2.3)),
        lambda seed: np.sign(np.sin(np.arange(2 * FRAMES).reshape(-1, 2) * (1.1 + seed))) * 0.75,
    ],
    ids=["white", "quiet white", "dither", "8 bits", "high tones", "squares"],
)
def test_noise_and_high_tones_keep_their_layout(
    noise: object, codec: str, bits: int, seed: int
) -> None:
    wav = wavs.build(noise(seed), codec=codec, bits=bits)  # type: ignore[operator]
    assert read(wav).warnings == ()


def test_noise_beside_a_square_wave_keeps_its_layout() -> None:
    """As floats, these integers are a square wave with levels of 0.5 and -8."""
    noise = RNG.integers(-(2**15), 2**15, FRAMES)
    square = np.where(np.arange(FRAMES) // 100 % 2, 0x3F00, -0x3F01)
    wav = wavs.file_of(np.stack((noise, square), axis=1).astype("<i2").tobytes(), channels=2)
    assert read(wav).warnings == ()


def test_late_and_swapped_samples_become_the_same_mp3(tmp_path: Path) -> None:
    expected = sweep(FRAMES, 2, 44100)
    raw = wavs.encode(expected, bits=24)
    late = wavs.file_of(b"\1\2" + raw[:-2], bits=24, channels=2)
    swapped = wavs.file_of(wavs.encode(expected, bits=24, big_endian=True), bits=24, channels=2)
    for wav, samples in ((late, FRAMES - 1), (swapped, FRAMES)):
        converted = convert(tmp_path, wav, segment_s=0.2)
        assert snr_db(expected[:samples], converted.decoded()) > 30


@pytest.mark.slow
@pytest.mark.parametrize("pitch_hz", [9000, 15_000, 21_000, 22_049])
@pytest.mark.parametrize("level", [0.01, 0.5, 1.0])
@pytest.mark.parametrize(("codec", "bits"), [("pcm", 8), ("pcm", 16), ("pcm", 24), ("float", 32)])
def test_tones_near_half_the_rate_keep_their_layout(
    codec: str, bits: int, level: float, pitch_hz: int
) -> None:
    phase = pitch_hz * np.arange(FRAMES) / 44100
    sine, saw = np.sin(2 * np.pi * phase), 2 * (phase % 1) - 1
    for tone in (sine, saw, np.sign(sine + 0.01)):
        both = level * np.stack((tone, np.roll(tone, 7)), axis=1)
        for samples in (both, both[:, :1]):
            assert read(wavs.build(samples, codec=codec, bits=bits)).warnings == ()
