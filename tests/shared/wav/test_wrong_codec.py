"""Floats under a header for integers, and integers under a header for floats."""

import io

import numpy as np
import pytest

from shared.wav import Codec, WavInfo, read_wav
from tests import wavs

RANDOM = np.random.default_rng(7)
NOISE = RANDOM.uniform(-0.9, 0.9, (9000, 2))
SOUNDS = {
    "tones": wavs.sine(9000, 2),
    "quiet tones": 0.001 * wavs.sine(9000, 2),
    "fade": wavs.sine(9000, 2) * np.linspace(0, 1, 9000)[:, None],
    "noise": NOISE,
    "overs": 4 * wavs.sine(9000, 2),
    "offset": 0.4 + 0.1 * wavs.sine(9000, 2),
    "huge": 1e30 * wavs.sine(9000, 2),
    "square": 0.5 * np.sign(wavs.sine(9000, 2) + 0.01),
}


def read(raw: bytes, tag: int, container: str = "RIFF") -> WavInfo:
    big_endian = container == "RIFX"
    fmt = wavs.fmt_payload(channels=2, bits=32, tag=tag, big_endian=big_endian)
    pieces = (b"fmt ", fmt), (b"data", raw)
    wav = wavs.wrap(
        (wavs.chunk(*each, container=container) for each in pieces), container=container
    )
    return read_wav(io.BytesIO(wav), len(wav))


@pytest.mark.parametrize("container", ["RIFF", "RIFX"])
@pytest.mark.parametrize("sound", ["tones", "quiet tones", "fade", "noise", "overs"])
def test_floats_under_an_integer_tag_are_floats(sound: str, container: str) -> None:
    raw = wavs.encode(SOUNDS[sound], codec="float", bits=32, big_endian=container == "RIFX")
    info = read(raw, 1, container)
    assert info.fmt.codec is Codec.FLOAT
    assert info.samples == 9000
    (warning,) = info.warnings
    assert warning.startswith("The header says integers of 32 bits, but the samples are floats")


@pytest.mark.parametrize("container", ["RIFF", "RIFX"])
@pytest.mark.parametrize("sound", ["tones", "quiet tones", "fade"])
def test_integers_under_a_float_tag_are_integers(sound: str, container: str) -> None:
    raw = wavs.encode(SOUNDS[sound], bits=32, big_endian=container == "RIFX")
    info = read(raw, 3, container)
    assert info.fmt.codec is Codec.PCM
    (warning,) = info.warnings
    assert warning.startswith("The header says floats of 32 bits, but the samples are integers")


@pytest.mark.parametrize("valid_bits", [16, 24, 32])
@pytest.mark.parametrize("sound", [sound for sound in SOUNDS if sound != "huge"])
def test_integers_stay_integers(sound: str, valid_bits: int) -> None:
    info = read(wavs.encode(SOUNDS[sound], bits=32, valid_bits=valid_bits), 1)
    assert info.fmt.codec is Codec.PCM


@pytest.mark.parametrize("level", [0.44, 0.5 * np.sign(wavs.sine(9000, 2) + 0.01)])
def test_integers_near_half_of_full_scale_stay_integers(level: float | wavs.Samples) -> None:
    info = read(wavs.encode(level + 0.0005 * NOISE, bits=32), 1)
    assert (info.fmt.codec, info.warnings) == (Codec.PCM, ())


def test_a_decay_that_ends_in_nan_stays_float() -> None:
    decay = np.where(np.arange(9000) < 1500, 1e-10 * 0.99 ** np.arange(9000), np.nan)
    info = read(wavs.encode(np.stack([decay, decay], axis=1), codec="float", bits=32), 3)
    assert (info.fmt.codec, info.warnings) == (Codec.FLOAT, ())


@pytest.mark.parametrize("damage", [0, np.nan, np.inf, 1e30])
@pytest.mark.parametrize("sound", SOUNDS)
def test_damaged_floats_stay_floats(sound: str, damage: float) -> None:
    damaged = np.where(RANDOM.random((9000, 2)) < 0.3, damage, SOUNDS[sound])
    info = read(wavs.encode(damaged, codec="float", bits=32), 3)
    assert (info.fmt.codec, info.warnings) == (Codec.FLOAT, ())
