"""The MP3 of any WAV sounds like it, sample for sample, in any number of segments."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.mp3_options import Options
from tests import wavs
from tests.worker.any_wav import MP3_RATES_HZ, SAMPLE_FORMATS, AnyWav, SampleFormat, any_wavs
from tests.worker.conversion import convert, level_db, snr_db

pytestmark = [pytest.mark.slow, pytest.mark.exhaustive]

EXAMPLES = 5
"""Of each sample format in each container. 20 take a second."""
HEARD_FROM_S = 0.03
HEARD_FROM_SAMPLES = 100
"""Of shorter clips only the length is compared."""


@pytest.mark.parametrize("container", wavs.CONTAINERS)
@pytest.mark.parametrize("sample_format", SAMPLE_FORMATS, ids=str)
@settings(max_examples=EXAMPLES, deadline=None)
@given(data=st.data(), segment_s=st.sampled_from([60, 0.15]))
def test_any_wav_keeps_length_level_and_place(
    container: str, sample_format: SampleFormat, data: st.DataObject, segment_s: float
) -> None:
    any_wav = data.draw(any_wavs(container, sample_format))
    with tempfile.TemporaryDirectory() as folder:
        options = Options(quality=0)
        converted = convert(Path(folder), any_wav.wav, options, segment_s=segment_s)
        voices, mp3_hz = converted.by_libsndfile(), converted.target.sample_rate_hz
    melody = any_wav.melody
    if melody.rate_hz in MP3_RATES_HZ:
        assert (mp3_hz, len(voices)) == (melody.rate_hz, melody.samples)
    expected = any_wav.heard_at(mp3_hz)
    assert voices.shape == expected.shape
    if _is_heard(any_wav):
        assert snr_db(expected, voices) > 28
        # A-law and mu-law alone change the level of a short clip by up to 0.05 dB
        tolerance_db = 0.1 if sample_format.codec in ("alaw", "mulaw") else 0.05
        assert level_db(voices) == pytest.approx(level_db(expected), abs=tolerance_db)


def _is_heard(any_wav: AnyWav) -> bool:
    samples = any_wav.melody.samples
    return samples >= max(HEARD_FROM_SAMPLES, HEARD_FROM_S * any_wav.melody.rate_hz)
