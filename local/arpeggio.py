"""Generates a WAV for the demo: 10 s of plucked notes, stereo, 44.1 kHz, 16 bits."""

import math
import wave
from array import array
from functools import cache
from pathlib import Path

RATE_HZ = 44_100
DURATION_S = 10
NOTE_INTERVAL_S = 0.4
NOTE_DURATION_S = 2.0
# C major 7 upwards, A minor 7 downwards.
NOTES_HZ = (130.81, 261.63, 329.63, 392.00, 493.88, 110.00, 440.00, 392.00, 329.63, 261.63)


def write_arpeggio(path: Path) -> None:
    samples = array("h", bytes(4 * RATE_HZ * DURATION_S))
    last_onset_s = DURATION_S - NOTE_DURATION_S
    for index in range(int(last_onset_s / NOTE_INTERVAL_S) + 1):
        onset = 2 * int(index * NOTE_INTERVAL_S * RATE_HZ)
        left_share = 0.5 + 0.4 * math.sin(index)
        for position, level in enumerate(_pluck(NOTES_HZ[index % len(NOTES_HZ)])):
            samples[onset + 2 * position] += int(level * left_share)
            samples[onset + 2 * position + 1] += int(level * (1 - left_share))
    with wave.open(str(path), "wb") as wav:
        wav.setnchannels(2)
        wav.setsampwidth(2)
        wav.setframerate(RATE_HZ)
        wav.writeframes(samples.tobytes())


@cache
def _pluck(frequency_hz: float) -> tuple[float, ...]:
    radians = 2 * math.pi * frequency_hz / RATE_HZ
    return tuple(
        9000
        * math.exp(-3 * position / RATE_HZ)
        * min(1, position / 200)
        * (math.sin(radians * position) + 0.4 * math.sin(2 * radians * position))
        for position in range(int(NOTE_DURATION_S * RATE_HZ))
    )
