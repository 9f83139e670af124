from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mp3_options import Options, Target, choose_target
from shared.mpeg import SAMPLE_RATES_HZ
from shared.segmentation import grid, plan_segments, resampled_length
from tests.shared.wav_infos import wav_info

RATES = st.one_of(
    st.sampled_from([*SAMPLE_RATES_HZ, 37800, 88200, 96000]), st.integers(1000, 768_000)
)


@given(source_hz=RATES, mp3_hz=st.sampled_from(SAMPLE_RATES_HZ))
def test_the_grid_is_the_finest(source_hz: int, mp3_hz: int) -> None:
    target = Target(mp3_hz, 2, 2, None)
    step = grid(source_hz, target)
    frame = Fraction(target.samples_per_frame * source_hz, mp3_hz)
    assert step.samples == frame * step.frames
    assert step.frames == frame.denominator


@given(
    rate_hz=RATES,
    seconds=st.floats(0.001, 30_000),
    segment_s=st.floats(5, 600),
    bitrate_kbps=st.sampled_from([None, 64]),
)
def test_segments_cover_the_source(
    rate_hz: int, seconds: float, segment_s: float, bitrate_kbps: int | None
) -> None:
    source = wav_info(samples=max(1, round(seconds * rate_hz)), rate_hz=rate_hz)
    target = choose_target(source, Options(bitrate_kbps=bitrate_kbps))
    segments = plan_segments(source, target, segment_s)
    ends = [segment.start_sample + segment.samples for segment in segments]
    assert [segment.start_sample for segment in segments] == [0, *ends[:-1]]
    assert ends[-1] == source.samples
    assert all(segment.samples > 0 for segment in segments)
    step = grid(rate_hz, target).samples
    assert all(segment.start_sample % step == 0 for segment in segments)
    if len(segments) > 1:
        longest_s = max(segment.samples for segment in segments) / rate_hz
        assert 0.5 * segment_s <= longest_s <= 2 * segment_s + step / rate_hz


def test_ten_minutes_are_ten_equal_segments() -> None:
    source = wav_info(samples=600 * 44100)
    segments = plan_segments(source, choose_target(source, Options()), 60)
    assert [segment.samples for segment in segments[:-1]] == [2297 * 1152] * 9
    assert 0 < 2297 * 1152 - segments[-1].samples < 1152 * 10


@pytest.mark.parametrize(
    ("minutes", "count"),
    [(1, 1), (2, 2), (4, 4), (5, 4), (6, 6), (12, 12), (24, 12), (25, 24), (48, 24), (300, 156)],
)
def test_workers_share_segments_evenly(minutes: int, count: int) -> None:
    source = wav_info(samples=minutes * 60 * 44100)
    assert len(plan_segments(source, choose_target(source, Options()), 60)) == count


@pytest.mark.parametrize(
    ("rate_hz", "options"),
    [(44100, Options(bitrate_kbps=128)), (44056, Options()), (767_999, Options())],
)
def test_cbr_and_coarse_grids_are_one_segment(rate_hz: int, options: Options) -> None:
    source = wav_info(samples=600 * rate_hz, rate_hz=rate_hz)
    assert len(plan_segments(source, choose_target(source, options), 60)) == 1


def test_compressed_sources_are_one_segment() -> None:
    source = wav_info(samples=None, data_bytes=1_000_000)
    assert source.duration_s is None
    (segment,) = plan_segments(source, choose_target(source, Options()), 60)
    assert segment.start_sample == 0
    assert segment.samples / 44100 >= 1_000_000 / (320_000 / 8)


@given(samples=st.integers(1, 10**9), source_hz=RATES, mp3_hz=st.sampled_from(SAMPLE_RATES_HZ))
def test_no_sample_is_lost_to_rounding(samples: int, source_hz: int, mp3_hz: int) -> None:
    length = resampled_length(samples, source_hz, Target(mp3_hz, 2, 2, None))
    assert length - 1 < Fraction(samples * mp3_hz, source_hz) <= length
