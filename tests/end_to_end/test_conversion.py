"""A few conversions through the whole running service. All others are in `tests/worker`."""

from pathlib import Path

import numpy as np
import pytest

from shared.mp3_options import Options
from tests import wavs
from tests.conftest import User
from tests.worker.conversion import Voices, convert, snr_db, sweep
from tests.worker.mp3.mp3_material import decode, extremes, music


def decoded(folder: Path, mp3: bytes, channels: int) -> Voices:
    path = folder / "downloaded.mp3"
    path.write_bytes(mp3)
    return decode(path, channels)


@pytest.mark.parametrize(
    ("codec", "bits", "container"),
    [("pcm", 24, "RF64"), ("float", 64, "RIFX"), ("mulaw", 8, "W64"), ("pcm", 8, "RIFF")],
)
def test_the_mp3_has_the_samples_of_the_wav(
    user: User, tmp_path: Path, codec: str, bits: int, container: str
) -> None:
    samples = sweep(50_001, 2, 44100)
    mp3 = user.convert(wavs.build(samples, codec=codec, bits=bits, container=container))
    assert snr_db(samples, decoded(tmp_path, mp3, 2)) > 30


def test_the_options_of_the_upload_are_used(user: User, tmp_path: Path) -> None:
    wav = wavs.build(sweep(96000, 6, 96000), sample_rate_hz=96000)
    mp3 = user.convert(wav, bitrate_kbps=64, channels=1, sample_rate_hz=22050)
    expected = convert(
        tmp_path, wav, Options(bitrate_kbps=64, channels=1, sample_rate_hz=22050)
    ).mp3.read_bytes()
    assert mp3 == expected
    assert decoded(tmp_path, mp3, 1).shape == (22050, 1)


def test_segments_make_the_same_mp3_every_time(
    user: User, tmp_path: Path, segment_s: float
) -> None:
    samples = np.tile(music(50, 22050, 1).samples, (4, 1))[: 170 * 22050]
    wav = wavs.build(samples, sample_rate_hz=22050)
    first, second = user.convert(wav), user.convert(wav)
    here = convert(tmp_path, wav, segment_s=segment_s)
    assert len(here.parts) > 1
    assert first == second == here.mp3.read_bytes()
    one_pass = convert(tmp_path, wav, segment_s=1000).by_ffmpeg()
    assert np.array_equal(decoded(tmp_path, first, 1), one_pass)


def test_floats_beyond_full_scale_are_converted(user: User, tmp_path: Path) -> None:
    samples = 1e30 * extremes(2, 48000, 2).samples.astype(np.float64)
    samples[1000:2000] = np.nan
    wav = wavs.build(samples, codec="float", bits=64, sample_rate_hz=48000)
    assert decoded(tmp_path, user.convert(wav), 2).shape == samples.shape
