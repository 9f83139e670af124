"""Compressed sources keep each channel in every layout that their decoder may choose."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from shared.mp3_options import target_warnings
from tests.worker.conversion import Voices, convert
from tests.worker.mp3.mp3_material import FFMPEG

RATE_HZ = 48_000


def encoded(path: Path, codec: str, layout: str, channels: int) -> bytes:
    """Return a WAV with another pitch in each channel."""
    time = np.arange(RATE_HZ)[:, None] / RATE_HZ
    samples = 0.1 * np.sin(2 * np.pi * 300 * time * np.arange(1, channels + 1))
    raw = ["-f", "f32le", "-ar", str(RATE_HZ), "-ch_layout", layout, "-i", "pipe:0"]
    command = [*FFMPEG, *raw, "-c:a", codec, "-f", "wav", str(path)]
    subprocess.run(command, input=samples.astype("<f4").tobytes(), check=True)
    return path.read_bytes()


def levels(voices: Voices, channels: int) -> list[list[float]]:
    """Return the level of each source channel in each channel of the MP3, relative to the loudest."""
    voices = voices[4800:43_200]
    time = np.arange(len(voices))[:, None] / RATE_HZ
    tones = np.exp(-2j * np.pi * 300 * time * np.arange(1, channels + 1))
    found = np.abs(voices.T @ tones)
    return [[round(float(level), 1) for level in side] for side in found / found.max()]


@pytest.mark.parametrize(
    ("codec", "layout", "left", "right"),
    [
        ("flac", "3.0", [1, 0, 0.7], [0, 1, 0.7]),
        ("ac3", "3.0", [1, 0, 0.7], [0, 1, 0.7]),
        ("flac", "3.0(back)", [1, 0, 0.5], [0, 1, 0.5]),
        ("flac", "quad", [1, 0, 0.7, 0], [0, 1, 0, 0.7]),
        ("ac3", "quad", [1, 0, 0.7, 0], [0, 1, 0, 0.7]),
        ("flac", "5.0(side)", [1, 0, 0.7, 0.7, 0], [0, 1, 0.7, 0, 0.7]),
        ("flac", "6.0", [1, 0, 0.7, 0.5, 0.7, 0], [0, 1, 0.7, 0.5, 0, 0.7]),
        ("flac", "7.0", [1, 0, 0.7, 0.7, 0, 0.7, 0], [0, 1, 0.7, 0, 0.7, 0, 0.7]),
        ("flac", "FL+FC+LFE", [1, 0.7, 0], [0, 0.7, 0]),
        ("flac", "FL+FC", [1, 0], [0, 1]),
    ],
)
def test_each_channel_is_mixed_by_its_speaker(
    tmp_path: Path, codec: str, layout: str, left: list[float], right: list[float]
) -> None:
    converted = convert(tmp_path, encoded(tmp_path / "a.wav", codec, layout, len(left)))
    found = levels(converted.by_ffmpeg(), len(left))
    assert np.allclose(found, [left, right], atol=0.11)
    told = target_warnings(converted.info, converted.target)
    assert ["LFE" in text for text in told] == ["LFE" in layout]
    assert converted.warnings == []
