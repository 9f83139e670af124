"""Samples of the other sign convention, and right-justified ones."""

import io

import numpy as np
import pytest

from shared.wav import WavInfo, read_wav
from tests import wavs


def read(wav: bytes) -> WavInfo:
    return read_wav(io.BytesIO(wav), len(wav))


def music(level: float) -> wavs.Samples:
    noise = np.random.default_rng(3).standard_normal((30_000, 2))
    return np.asarray(level * (1.6 * wavs.sine(30_000, 2) + 0.05 * noise))


@pytest.mark.parametrize("container", ["RIFF", "RIFX"])
@pytest.mark.parametrize(
    ("bits", "found"),
    [(8, "unsigned in a WAV, but the samples look signed"), (16, "look unsigned")],
)
@pytest.mark.parametrize("level", [0.1, 0.4, 0.6])
def test_samples_of_the_other_sign_are_warned_about(
    bits: int, found: str, level: float, container: str
) -> None:
    order = ">" if container == "RIFX" else "<"
    whole = np.rint(music(level) * 2 ** (bits - 1)).astype(np.int64)
    raw = whole.astype(np.int8) if bits == 8 else (whole + 32768).astype(f"{order}u2")
    wav = wavs.file_of(raw.tobytes(), container=container, bits=bits, channels=2)
    (warning,) = read(wav).warnings
    assert found in warning
    assert read(wavs.build(music(level), bits=bits, container=container)).warnings == ()


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("level", [0.01, 0.3, 1.0])
def test_loud_and_quiet_samples_have_no_warning(bits: int, level: float) -> None:
    square = np.clip(50 * music(level), -level, level)
    for samples in (music(level / 2), square, np.sign(square) * level * 0.99):
        assert read(wavs.build(samples, bits=bits)).warnings == ()


@pytest.mark.parametrize("container", ["RIFF", "RIFX"])
@pytest.mark.parametrize("says_valid", [False, True])
@pytest.mark.parametrize(
    ("bits", "container_bits", "advice"),
    [
        *((12, 16, "gain_db=24.1"), (10, 16, "gain_db=36.1"), (20, 24, "gain_db=24.1")),
        *((18, 24, "gain_db=36.1"), (20, 32, "export it with 24 bits")),
    ],
)
def test_right_justified_samples_are_warned_about(
    bits: int, container_bits: int, advice: str, container: str, *, says_valid: bool
) -> None:
    whole = np.rint(music(0.4) * 2 ** (bits - 1)).astype(np.int64)
    raw = wavs.encode(whole, bits=container_bits, big_endian=container == "RIFX")
    align = 2 * container_bits // 8
    said = {"bits": container_bits, "valid_bits": bits} if says_valid else {"bits": bits}
    info = read(wavs.file_of(raw, container=container, channels=2, block_align=align, **said))
    (warning,) = info.warnings
    assert f"use only the lower {bits}" in warning
    assert advice in warning


@pytest.mark.parametrize(("bits", "container_bits"), [(12, 16), (20, 24), (24, 32), (20, 32)])
@pytest.mark.parametrize("level", [0.0, 0.002, 0.5])
def test_left_justified_samples_have_no_warning(
    bits: int, container_bits: int, level: float
) -> None:
    wav = wavs.build(music(level), bits=container_bits, valid_bits=bits)
    assert read(wav).warnings == ()
