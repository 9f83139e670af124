"""Synthetic music of any length, as WAV files to measure with."""

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

RATE_HZ = 44100
LOOP_S = 60


def write_music(path: Path, duration_s: float) -> Path:
    """Write a stereo 16-bit RF64 that repeats one minute of music, shifted each time so that no minutes are equal."""
    minute = _music()
    left_frames = round(duration_s * RATE_HZ)
    with soundfile.SoundFile(path, "w", RATE_HZ, 2, "PCM_16", format="RF64") as file:
        for turn in range(-(-left_frames // len(minute))):
            frames = np.roll(minute, turn * 7919, axis=0)[:left_frames]
            file.write(frames)
            left_frames -= len(frames)
    return path


def _music() -> NDArray[np.int16]:
    """Return a minute of chords with overtones, drums and some noise. The channels differ a little."""
    random = np.random.default_rng(1)
    time_s = np.arange(LOOP_S * RATE_HZ) / RATE_HZ
    sound = np.zeros((len(time_s), 2))
    for bar in range(LOOP_S // 2):
        here = slice(bar * 2 * RATE_HZ, (bar + 1) * 2 * RATE_HZ)
        for note in random.choice([110, 131, 147, 165, 196, 220, 262, 330, 392], 4, replace=False):
            for overtone in range(1, 9):
                phase = random.uniform(0, 2 * np.pi, 2)
                wave = np.sin(2 * np.pi * note * overtone * time_s[here, None] + phase)
                sound[here] += wave * 0.12 / overtone
    beat_s = time_s % 0.5
    drum = np.exp(-beat_s * 40) * random.standard_normal(len(time_s))
    sound += 0.3 * drum[:, None] + 0.01 * random.standard_normal(sound.shape)
    loudest = float(np.abs(sound).max())
    return (0.7 * 32767 / loudest * sound).astype(np.int16)
