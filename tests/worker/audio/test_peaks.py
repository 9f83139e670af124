import subprocess
from collections.abc import Generator
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from shared.wav import read_wav
from shared.waveform import Waveform
from tests import wavs
from tests.worker.audio.test_encode import EVERY_FORMAT
from tests.worker.conversion import convert
from tests.worker.mp3.mp3_material import FFMPEG
from worker.audio import Peaks, join_peaks, pcm

RATE_HZ = 8000
Samples = npt.NDArray[np.float64]


def noise(samples: int, channels: int = 2) -> Samples:
    """Uneven noise, so that neighbouring pixels differ."""
    random = np.random.default_rng(7)
    level = random.uniform(0, 1, (samples // 100 + 1, 1)).repeat(100, axis=0)[:samples]
    return random.uniform(-1, 1, (samples, channels)) * level


def expected(samples: Samples, step: int) -> Samples:
    starts = np.arange(0, len(samples), step)
    lowest = np.minimum.reduceat(samples.min(axis=1), starts)
    highest = np.maximum.reduceat(samples.max(axis=1), starts)
    return np.stack((lowest, highest), axis=1)


def peaks_of(waveform: Waveform) -> npt.NDArray[np.int8]:
    return np.frombuffer(waveform.peaks, np.int8).reshape(-1, 2)


@pytest.mark.slow
@pytest.mark.parametrize("container", ["RIFF", "RIFX"])
@pytest.mark.parametrize(("codec", "bits"), EVERY_FORMAT)
def test_every_format_has_true_peaks(tmp_path: Path, codec: str, bits: int, container: str) -> None:
    samples = noise(20_001)
    wav = wavs.build(samples, sample_rate_hz=RATE_HZ, container=container, codec=codec, bits=bits)
    waveform = convert(tmp_path, wav, segment_s=1).waveform
    assert (waveform.sample_rate_hz, waveform.samples_per_pixel) == (RATE_HZ, 16)
    truth = 128 * expected(samples, 16)
    # A-law and µ-law have steps of up to 1/32.
    tolerance = np.abs(truth) / 32 + 1 if codec.endswith("law") else 1.01
    assert peaks_of(waveform).shape == truth.shape
    assert (np.abs(peaks_of(waveform) + 0.5 - truth) <= tolerance).all()


def test_segments_join_to_the_waveform_of_one_pass(tmp_path: Path) -> None:
    wav = wavs.build(noise(61 * RATE_HZ), sample_rate_hz=RATE_HZ)
    split, whole = (convert(tmp_path, wav, segment_s=each) for each in (10, 600))
    assert (len(split.parts), len(whole.parts)) == (6, 1)
    assert split.waveform == whole.waveform


@pytest.mark.parametrize("chunk_bytes", [1, 7, 4096])
def test_chunks_may_end_anywhere(chunk_bytes: int) -> None:
    wav = wavs.build(noise(5000), bits=24)
    info = read_wav(BytesIO(wav), len(wav))
    data = wav[info.data_offset :]

    def measured(step: int) -> bytes:
        def chunks() -> Generator[bytes]:
            yield from (data[at : at + step] for at in range(0, len(data), step))

        peaks = Peaks(info)
        assert b"".join(peaks.measure(chunks(), pcm.raw_format(info), 0)) == data
        return peaks.to_bytes()

    assert measured(chunk_bytes) == measured(len(data))


def test_floats_beyond_full_scale_are_clipped(tmp_path: Path) -> None:
    samples = np.tile([[3e38], [-np.inf], [0.5], [np.nan]], (3000, 1))
    waveform = convert(tmp_path, wavs.build(samples, codec="float", bits=32)).waveform
    assert {tuple(pixel) for pixel in peaks_of(waveform).tolist()} == {(-128, 127)}


@pytest.mark.parametrize(
    ("samples", "step", "pixels"),
    [(1, 2, 1), (4096, 2, 2048), (4097, 4, 1025), (44100 * 600, 16384, 1615)],
)
def test_a_waveform_has_at_most_2048_pixels(samples: int, step: int, pixels: int) -> None:
    wav = wavs.build(np.zeros((samples, 1), np.int8), bits=8)
    info = read_wav(BytesIO(wav), len(wav))
    peaks = Peaks(info)
    data = wav[info.data_offset : info.data_offset + info.data_bytes]
    assert list(peaks.measure((each for each in [data]), pcm.raw_format(info), 0)) == [data]
    waveform = join_peaks(info, [peaks.to_bytes()])
    assert (waveform.samples_per_pixel, waveform.pixels) == (step, pixels)


@pytest.mark.parametrize("codec", [["adpcm_ms"], ["libmp3lame", "-b:a", "32k"]])
def test_compressed_sources_are_measured_after_decoding(tmp_path: Path, codec: list[str]) -> None:
    samples = 0.5 * wavs.sine(44100 * 20)
    plain, path = tmp_path / "plain.wav", tmp_path / "compressed.wav"
    plain.write_bytes(wavs.build(samples))
    subprocess.run([*FFMPEG, "-i", plain, "-c:a", *codec, path], check=True)
    waveform = convert(tmp_path, path.read_bytes()).waveform
    assert 1000 < waveform.pixels <= 2048
    assert waveform.pixels == pytest.approx(44100 * 20 / waveform.samples_per_pixel, rel=0.01)
    inner = peaks_of(waveform)[10:-10]
    level = np.abs(128 * samples).max()
    assert np.abs(np.abs(inner) - level).max() < 0.1 * level + 2
