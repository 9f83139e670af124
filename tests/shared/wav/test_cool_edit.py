"""Floats under a header for integers are detected; integers stay integers."""

import io

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from shared.wav import Codec, WavInfo, read_wav
from tests import wavs

NOISE = np.random.default_rng(4).uniform(-0.7, 0.7, (9000, 2))
TYPE_1 = b"\x02\x00\x01\x00"


def read(raw: bytes, *, bits: int = 24, extension: bytes = b"", channels: int = 2) -> WavInfo:
    wav = wav_of(raw, bits=bits, extension=extension, channels=channels)
    return read_wav(io.BytesIO(wav), len(wav))


def wav_of(raw: bytes, *, bits: int = 24, extension: bytes = b"", channels: int = 2) -> bytes:
    fmt = wavs.fmt_payload(channels=channels, bits=bits, block_align=4 * channels) + extension
    return wavs.wrap([wavs.chunk(b"fmt ", fmt), wavs.chunk(b"data", raw)])


def floats(samples: wavs.Samples) -> bytes:
    return wavs.encode(samples, codec="float", bits=32)


@pytest.mark.parametrize("full_scale", [1, 2**23])
@pytest.mark.parametrize("samples", [NOISE, wavs.sine(9000, 2), NOISE / 1000, NOISE[:2]])
def test_floats_are_detected(full_scale: int, samples: wavs.Samples) -> None:
    info = read(floats(full_scale * samples))
    assert (info.fmt.codec, info.fmt.full_scale) == (Codec.FLOAT, full_scale)
    assert (info.fmt.bits_per_sample, info.samples) == (32, len(samples))
    assert ["as Cool Edit writes them" in warning for warning in info.warnings] == [True]


def test_floats_are_detected_after_silence() -> None:
    info = read(bytes(400_000) + floats(NOISE))
    assert (info.fmt.codec, info.samples) == (Codec.FLOAT, 50_000 + len(NOISE))


@pytest.mark.parametrize("samples", [NOISE, wavs.sine(9000, 2), NOISE / 1000, 0 * NOISE])
@pytest.mark.parametrize("valid_bits", [24, 32])
def test_integers_stay_integers(samples: wavs.Samples, valid_bits: int) -> None:
    raw = wavs.encode(samples, bits=32, valid_bits=valid_bits)
    assert read(raw).fmt.codec == Codec.PCM
    theirs = soundfile.info(io.BytesIO(wav_of(wavs.encode(NOISE, bits=32, valid_bits=24))))
    assert theirs.subtype == "PCM_32"


@given(pitch_hz=st.floats(10, 10_000), peak=st.floats(0.001, 1), samples=st.integers(8, 9000))
def test_integer_tones_stay_integers(pitch_hz: float, peak: float, samples: int) -> None:
    tone = peak * np.sin(2 * np.pi * pitch_hz * np.arange(samples) / 44100)
    raw = wavs.encode(tone[:, None], bits=32, valid_bits=24)
    assert read(raw, channels=1).fmt.codec == Codec.PCM


@pytest.mark.parametrize("peak", [0.01, 0.25, 0.5, 0.9])
def test_integer_square_waves_stay_integers(peak: float) -> None:
    square = peak * np.sign(np.sin(np.arange(9000) / 20 + 0.1))
    raw = wavs.encode(square[:, None], bits=32, valid_bits=24)
    assert read(raw, channels=1).fmt.codec == Codec.PCM


def test_right_justified_integers_stay_integers() -> None:
    raw = np.rint(2**23 * NOISE).astype("<i4").tobytes()
    assert read(raw).fmt.codec == Codec.PCM


def test_type_1_samples_are_floats() -> None:
    info = read(floats(2**15 * NOISE), bits=32, extension=TYPE_1)
    assert (info.fmt.codec, info.fmt.full_scale) == (Codec.FLOAT, 2**15)
    assert read(floats(NOISE), bits=32, extension=b"\0\0").fmt.codec == Codec.PCM
