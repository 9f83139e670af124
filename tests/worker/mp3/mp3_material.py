"""Test sounds as 16-bit samples (frames × channels), and functions that encode and decode them with ffmpeg."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]
Noise = np.random.Generator

_BLOCK = 1 << 14

FFMPEG = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-loglevel", "error"]
WITHOUT_TAGS = ["-write_xing", "0", "-id3v2_version", "0", "-f", "mp3", "-"]


@dataclass(frozen=True)
class Sound:
    samples: Samples
    rate_hz: int

    @property
    def channels(self) -> int:
        return int(self.samples.shape[1])

    def encode(self, *options: str, first: int = 0, end: int | None = None) -> bytes:
        raw = ["-f", "s16le", "-ar", str(self.rate_hz), "-ac", str(self.channels), "-i", "pipe:0"]
        command = [*FFMPEG, *raw, "-c:a", "libmp3lame", *options, *WITHOUT_TAGS]
        pcm = self.samples[first:end].astype("<i2").tobytes()
        return subprocess.run(command, input=pcm, capture_output=True, check=True).stdout

    def encode_vbr(
        self, quality: int, *, reservoir: bool, first: int = 0, end: int | None = None
    ) -> bytes:
        options = ["-q:a", str(quality), "-reservoir", str(int(reservoir))]
        return self.encode(*options, first=first, end=end)


def decode(mp3: bytes | Path, channels: int) -> NDArray[np.float32]:
    """Decode with ffmpeg. It trims the padding only of files that it can seek in, so give it a path."""
    url, piped = ("pipe:0", mp3) if isinstance(mp3, bytes) else (str(mp3), b"")
    command = [*FFMPEG, "-f", "mp3", "-i", url, "-f", "f32le", "-"]
    pcm = subprocess.run(command, input=piped, capture_output=True, check=True).stdout
    return np.frombuffer(pcm, "<f4").reshape(-1, channels)


def in_chunks(data: bytes, chunk_bytes: int = 65536) -> Iterator[bytes]:
    return (data[start : start + chunk_bytes] for start in range(0, len(data), chunk_bytes))


def sound(voices: NDArray[np.float64], rate_hz: int) -> Sound:
    return Sound((voices * 32767).clip(-32768, 32767).astype(np.int16), rate_hz)


def music(seconds: float, rate_hz: int, channels: int) -> Sound:
    """Return chords that wander between the speakers, with a drum twice a second."""
    noise = np.random.default_rng(7)
    time = np.arange(int(seconds * rate_hz)) / rate_hz
    drum = 0.4 * np.exp(-25 * (time * 2.1 % 1))
    voices = drum * noise.standard_normal((channels, len(time)))
    tones = [
        (
            110 * 2 ** (pitch / 12),
            noise.uniform(0.1, 0.5, (channels, 1)),
            noise.uniform(0, 1, (channels, 1)),
        )
        for pitch in noise.integers(0, 40, 10)
    ]
    # Block by block, which stays in the processor's cache and is several times as fast.
    for block in (slice(at, at + _BLOCK) for at in range(0, len(time), _BLOCK)):
        for pitch_hz, sway_hz, start in tones:
            sway = 1 + 0.7 * _sine(time[block] * sway_hz + start)
            voices[:, block] += 0.05 * sway * _sine(pitch_hz * time[block])
    return sound(voices.T, rate_hz)


def _sine(turns: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the sine of an angle in turns. 32 bits are precise enough, and several times as fast as 64."""
    sine: NDArray[np.float32] = np.sin(2 * np.pi * (turns - np.floor(turns)).astype(np.float32))
    return sine


def speech(seconds: float, rate_hz: int) -> Sound:
    """Return bursts of low-passed noise and of buzz, with pauses, on one channel."""
    noise = np.random.default_rng(8)
    time = np.arange(int(seconds * rate_hz)) / rate_hz
    hiss = np.convolve(noise.standard_normal(len(time)), np.ones(8) / 8, "same")
    buzz = (time * 120 % 1) - 0.5
    syllable = np.clip(np.sin(2 * np.pi * 3.3 * time) + np.sin(2 * np.pi * 0.4 * time), 0, 1)
    return sound((0.4 * syllable * np.where(time * 1.7 % 1 < 0.4, hiss, buzz))[:, None], rate_hz)


def extremes(seconds: float, rate_hz: int, channels: int) -> Sound:
    """Return digital silence and full-scale noise in turns of 0.7 s."""
    length = int(seconds * rate_hz)
    loud = np.random.default_rng(9).uniform(-1, 1, (length, channels))
    return sound(loud * (np.arange(length)[:, None] / rate_hz % 1.4 >= 0.7), rate_hz)


def attacks(seconds: float, rate_hz: int, channels: int, every: int, offset: int) -> Sound:
    """Return a soft tone with a full-scale burst `offset` samples after every multiple of `every`."""
    time = np.arange(int(seconds * rate_hz))[:, None]
    tone = 0.02 * np.sin(2 * np.pi * 440 * time / rate_hz) * np.ones((1, channels))
    burst = np.exp(-((time - offset) % every) / 60.0)
    return sound(tone + burst * np.random.default_rng(10).uniform(-1, 1, tone.shape), rate_hz)
