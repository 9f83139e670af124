"""Segments have the same frames as one pass over the whole source, with the run-in and lookahead of the service.

The frames are compared as a decoder reads them, with the bit reservoir undone.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from shared.mp3_options import Options, best_sample_rate_hz
from tests import wavs
from tests.worker.conversion import Conversion, convert
from tests.worker.mp3.mp3_material import Sound, attacks, extremes, music, sound, speech
from tests.worker.mp3.reservoir import Frame, unpacked
from worker.audio.encode import RUN_IN_FRAMES

pytestmark = [pytest.mark.slow, pytest.mark.exhaustive]

SEGMENTS = 4
SEGMENT_FRAMES = 154
"""More than the run-in, so that no run-in reaches the beginning. Also a multiple of the grid of 37.8 kHz."""

Material = Callable[[float, int, int], Sound]


def segment_samples(rate_hz: int) -> int:
    mp3_hz = best_sample_rate_hz(rate_hz)
    frame_samples = 1152 if mp3_hz >= 32000 else 576
    return SEGMENT_FRAMES * frame_samples * rate_hz // mp3_hz


def length_s(rate_hz: int) -> float:
    return (SEGMENTS * segment_samples(rate_hz) - 321) / rate_hz


def silence(seconds: float, rate_hz: int, channels: int) -> Sound:
    return sound(np.zeros((int(seconds * rate_hz), channels)), rate_hz)


def noise(seconds: float, rate_hz: int, channels: int) -> Sound:
    voices = np.random.default_rng(3).uniform(-1, 1, (int(seconds * rate_hz), channels))
    return sound(voices, rate_hz)


def spoken(seconds: float, rate_hz: int, channels: int) -> Sound:
    voices = speech(seconds, rate_hz).samples
    return Sound(voices.repeat(channels, axis=1), rate_hz)


def attack_at_every_seam(seconds: float, rate_hz: int, channels: int, offset: int) -> Sound:
    return attacks(seconds, rate_hz, channels, segment_samples(rate_hz), offset)


def loud_until(frames_before: int, seconds: float, rate_hz: int, channels: int) -> Sound:
    """Return noise at full scale until `frames_before` every other seam, then nearly silent until the next seam."""
    frame = segment_samples(rate_hz) // SEGMENT_FRAMES
    place = np.arange(int(seconds * rate_hz))[:, None] // frame + frames_before
    is_loud = place // SEGMENT_FRAMES % 2 == 0
    hiss = np.random.default_rng(4).uniform(-1, 1, (len(place), channels))
    return sound(hiss * np.where(is_loud, 1, 0.0005), rate_hz)


MATERIAL = [
    *[(music, 44100, 2, 2), (music, 48000, 1, 0), (music, 8000, 2, 9), (music, 96000, 2, 2)],
    *[(spoken, 44100, 2, 4), (spoken, 22050, 1, 2), (spoken, 37800, 1, 6)],
    *[(silence, 44100, 2, 2), (silence, 24000, 1, 5)],
    *[(noise, 32000, 2, 0), (noise, 22050, 1, 4), (extremes, 44100, 2, 2), (extremes, 16000, 2, 7)],
]


@pytest.mark.parametrize(
    ("material", "rate_hz", "channels", "quality"),
    MATERIAL,
    ids=lambda value: value.__name__ if callable(value) else None,
)
def test_segments_have_the_frames_of_one_pass(
    tmp_path: Path, material: Material, rate_hz: int, channels: int, quality: int
) -> None:
    assert_frames_of_one_pass(tmp_path, material(length_s(rate_hz), rate_hz, channels), quality)


@pytest.mark.parametrize("offset", [-2304, -1105, -576, -20, 0, 300, 1105, 4000])
def test_attacks_at_seams_change_no_frame(tmp_path: Path, offset: int) -> None:
    """Put attacks before, on and after the seams, because the encoder delays samples against frames."""
    for rate_hz, channels, quality in [(44100, 2, 2), (22050, 1, 4)]:
        source = attack_at_every_seam(length_s(rate_hz), rate_hz, channels, offset)
        assert_frames_of_one_pass(tmp_path, source, quality)


@pytest.mark.parametrize("frames_before", [0, 1, 50, RUN_IN_FRAMES - 1, RUN_IN_FRAMES + 1])
def test_loudness_before_a_segment_changes_no_frame(tmp_path: Path, frames_before: int) -> None:
    """LAME adapts to loudness slowly, and slowest in the short frames of low sample rates."""
    for rate_hz in (44100, 24000):
        source = loud_until(frames_before, length_s(rate_hz), rate_hz, 2)
        assert_frames_of_one_pass(tmp_path, source, 2)


def assert_frames_of_one_pass(folder: Path, source: Sound, quality: int) -> None:
    wav = wavs.build(source.samples, sample_rate_hz=source.rate_hz)
    options = Options(quality=quality)
    segment_s = length_s(source.rate_hz) / SEGMENTS
    split = convert(folder, wav, options, segment_s=segment_s)
    whole = convert(folder, wav, options, segment_s=10 * SEGMENTS * segment_s)
    assert (len(split.parts), len(whole.parts)) == (SEGMENTS, 1)
    frames = frames_of(split)
    assert len(frames) > (SEGMENTS - 1) * SEGMENT_FRAMES
    assert differences(frames, frames_of(whole)) == []
    if source.rate_hz == split.target.sample_rate_hz:
        by_lame = unpacked(source.encode_vbr(quality, reservoir=False))
        assert differences(frames, by_lame) == []


def frames_of(converted: Conversion) -> list[Frame]:
    """Return the frames of all parts. Each part is read alone, because no frame may refer across a seam."""
    return [frame for part in converted.parts for frame in unpacked(part.read_bytes())]


def differences(frames: list[Frame], others: list[Frame]) -> list[int]:
    """Return the indexes of the frames that differ."""
    assert len(frames) == len(others)
    pairs = enumerate(zip(frames, others, strict=True))
    return [number for number, (frame, other) in pairs if frame != other]
