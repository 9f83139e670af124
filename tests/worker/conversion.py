"""Converts a WAV in this process as workers do, without the service around them."""

from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np
import soundfile
from numpy.typing import NDArray

from shared.mp3_options import Options, Target, choose_target
from shared.segmentation import plan_segments
from shared.wav import WavInfo, read_wav
from shared.waveform import Waveform
from tests.worker.mp3 import mp3_material
from worker.audio import (
    Limits,
    Peaks,
    Segment,
    encoder_fingerprint,
    encoder_name,
    flaw_warnings,
    join_peaks,
    write_part,
)
from worker.mp3.assemble import write_mp3

Voices = NDArray[np.floating]
LIMITS = Limits(memory_bytes=2 * 2**30, timeout_s=60, check=lambda: None)


def encoder() -> str:
    return encoder_name(encoder_fingerprint())


@dataclass(frozen=True)
class Conversion:
    mp3: Path
    parts: list[Path]
    info: WavInfo
    target: Target
    waveform: Waveform
    peaks_db: list[float | None]
    warnings: list[str]
    """About flaws of the audio, and about its metadata."""

    def by_ffmpeg(self) -> Voices:
        return mp3_material.decode(self.mp3, self.target.channels)

    def by_libsndfile(self) -> Voices:
        voices: Voices = soundfile.read(self.mp3, always_2d=True)[0]
        return voices

    def decoded(self) -> Voices:
        """Decode with ffmpeg and with libsndfile, which must agree."""
        voices, others = self.by_ffmpeg(), self.by_libsndfile()
        assert voices.shape == others.shape
        assert np.allclose(voices, others, atol=1e-3)
        return voices


def convert(
    folder: Path,
    wav: bytes,
    options: Options | None = None,
    *,
    segment_s: float = 60,
    limits: Limits = LIMITS,
) -> Conversion:
    work = folder / uuid4().hex
    work.mkdir()
    mp3, path = work / "out.mp3", work / "in.wav"
    path.write_bytes(wav)
    parts: list[Path] = []
    peaks: list[Peaks] = []
    peaks_db = []
    flaws = []
    samples = 0
    with path.open("rb") as source:
        info = read_wav(source, len(wav))
        target = choose_target(info, options or Options())
        for index, sample_range in enumerate(plan_segments(info, target, segment_s)):
            parts.append(work / f"{index}.part")
            segment = Segment(info, target, sample_range)
            with parts[-1].open("wb") as part:
                peaks.append(Peaks(info))
                encoded = write_part(source, segment, part, limits, lambda _: None, peaks[-1])
                samples += encoded.samples
                peaks_db.append(encoded.peak_db)
                flaws.append(encoded.flaws)
        with mp3.open("wb") as out:
            notes = write_mp3(
                source, info, target, samples, parts, Options(), {}, encoder(), out, limits.check
            )
    waveform = join_peaks(info, [each.to_bytes() for each in peaks])
    warnings = [*flaw_warnings(flaws, info.fmt.sample_rate_hz, samples), *notes]
    return Conversion(mp3, parts, info, target, waveform, peaks_db, warnings)


@dataclass(frozen=True)
class Sweep:
    """A rising tone, so that a shift of one sample shows at any sample rate. Each channel starts at another pitch."""

    seconds: float
    channels: int
    highest_hz: float

    def at(self, rate_hz: int, samples: int) -> Voices:
        time = np.arange(samples)[:, None] / rate_hz + 0.1 * np.arange(self.channels)
        rise = 0.45 * time / (self.seconds + 0.1 * self.channels)
        return np.asarray(0.5 * np.sin(2 * np.pi * self.highest_hz * (0.05 + rise) * time))


def sweep(samples: int, channels: int, rate_hz: int) -> Voices:
    return sweep_for(samples, channels, rate_hz).at(rate_hz, samples)


def sweep_for(samples: int, channels: int, rate_hz: int) -> Sweep:
    return Sweep(samples / rate_hz, channels, min(3000, 0.35 * rate_hz))


def snr_db(expected: Voices, got: Voices) -> float:
    assert expected.shape == got.shape
    noise = float(np.sum((expected - got) ** 2)) + 1e-20
    return float(10 * np.log10(np.sum(expected**2) / noise))


def level_db(voices: Voices) -> float:
    return float(10 * np.log10(np.mean(voices**2) + 1e-20))
