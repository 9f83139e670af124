from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import BadOptions
from shared.mp3_options import (
    Options,
    Target,
    best_sample_rate_hz,
    bitrates_kbps,
    check_options,
    choose_target,
    mix_warnings,
)
from shared.mpeg import SAMPLE_RATES_HZ
from shared.segmentation import grid, plan_segments, resampled_length
from shared.wav import Codec, FmtChunk, WavInfo

RATES = st.one_of(
    st.sampled_from([*SAMPLE_RATES_HZ, 37800, 88200, 96000]), st.integers(1000, 768_000)
)


def info(
    *, samples: int | None = 44100, rate_hz: int = 44100, channels: int = 2, data_bytes: int = 0
) -> WavInfo:
    return WavInfo(
        container="RIFF",
        fmt=FmtChunk(
            codec=Codec.MP3 if samples is None else Codec.PCM,
            channels=channels,
            sample_rate_hz=rate_hz,
            block_align=2 * channels,
            bits_per_sample=16,
            channel_mask=0,
            payload=bytes(16),
        ),
        big_endian=False,
        data_offset=44,
        data_bytes=data_bytes,
        samples=samples,
        chunks=(),
        warnings=(),
    )


@pytest.mark.parametrize(
    ("source_hz", "mp3_hz"),
    [(rate, rate) for rate in SAMPLE_RATES_HZ]
    + [(1000, 8000), (6000, 8000), (11000, 11025), (37800, 44100), (44056, 44100)]
    + [(47951, 48000), (50000, 48000), (64000, 48000), (88200, 44100), (96000, 48000)]
    + [(176400, 44100), (192000, 48000), (352800, 44100), (384000, 48000), (768000, 48000)],
)
def test_the_mp3_keeps_the_rate_or_takes_the_nearest_that_loses_nothing(
    source_hz: int, mp3_hz: int
) -> None:
    assert best_sample_rate_hz(source_hz) == mp3_hz


def test_vbr_at_quality_2_is_what_nobody_has_to_ask_for() -> None:
    assert choose_target(info(), Options()) == Target(44100, 2, quality=2, bitrate_kbps=None)


@pytest.mark.parametrize(
    ("options", "target"),
    [
        (Options(quality=0), Target(44100, 2, 0, None)),
        (Options(bitrate_kbps=320), Target(44100, 2, None, 320)),
        (Options(channels=1), Target(44100, 1, 2, None)),
        (Options(sample_rate_hz=8000, bitrate_kbps=8), Target(8000, 2, None, 8)),
    ],
)
def test_what_is_asked_for_is_made(options: Options, target: Target) -> None:
    check_options(options)
    assert choose_target(info(), options) == target


@pytest.mark.parametrize(("channels", "mp3_channels"), [(1, 1), (2, 2), (3, 2), (64, 2)])
def test_more_than_two_channels_become_two(channels: int, mp3_channels: int) -> None:
    source = info(channels=channels)
    assert choose_target(source, Options()).channels == mp3_channels
    told = mix_warnings(source, choose_target(source, Options()))
    assert len(told) == (channels > 2)
    assert all(f"The {channels} channels were mixed to stereo" in note for note in told)


def test_a_mix_of_many_channels_to_mono_is_told() -> None:
    source = info(channels=6)
    (note,) = mix_warnings(source, choose_target(source, Options(channels=1)))
    assert "6 channels were mixed to mono" in note


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (Options(quality=2, bitrate_kbps=128), "exclude each other"),
        (Options(sample_rate_hz=96000), "8000, 11025, .* or 48000"),
        (Options(bitrate_kbps=100), "8, 16, .* or 320"),
        (Options(sample_rate_hz=8000, bitrate_kbps=128), "8, 16, 24, 32, 40, 48, 56 or 64"),
        (Options(sample_rate_hz=48000, bitrate_kbps=8), "32, 40, .* or 320"),
    ],
)
def test_options_that_no_source_can_have_are_refused_with_what_is_allowed(
    options: Options, names: str
) -> None:
    with pytest.raises(BadOptions, match=names):
        check_options(options)


def test_a_bitrate_that_the_sources_rate_lacks_is_refused() -> None:
    check_options(Options(bitrate_kbps=320))
    with pytest.raises(BadOptions, match=r"8000 Hz cannot have 320 kbit/s.* or 64"):
        choose_target(info(rate_hz=8000), Options(bitrate_kbps=320))


@pytest.mark.parametrize(
    ("rate_hz", "least", "most", "count"),
    [
        *[(rate, 32, 320, 14) for rate in (32000, 44100, 48000)],
        *[(rate, 8, 160, 14) for rate in (16000, 22050, 24000)],
        *[(rate, 8, 64, 8) for rate in (8000, 11025, 12000)],
    ],
)
def test_bitrates_are_those_of_the_standards(
    rate_hz: int, least: int, most: int, count: int
) -> None:
    allowed = bitrates_kbps(rate_hz)
    assert (allowed[0], allowed[-1], len(allowed)) == (least, most, count)


@given(source_hz=RATES, mp3_hz=st.sampled_from(SAMPLE_RATES_HZ))
def test_the_grid_is_the_finest_at_which_samples_are_whole_frames(
    source_hz: int, mp3_hz: int
) -> None:
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
def test_the_segments_are_the_whole_source_cut_on_the_grid(
    rate_hz: int, seconds: float, segment_s: float, bitrate_kbps: int | None
) -> None:
    source = info(samples=max(1, round(seconds * rate_hz)), rate_hz=rate_hz)
    target = choose_target(source, Options(bitrate_kbps=bitrate_kbps))
    stretches = plan_segments(source, target, segment_s)
    ends = [stretch.start_sample + stretch.samples for stretch in stretches]
    assert [stretch.start_sample for stretch in stretches] == [0, *ends[:-1]]
    assert ends[-1] == source.samples
    assert all(stretch.samples > 0 for stretch in stretches)
    step = grid(rate_hz, target).samples
    assert all(stretch.start_sample % step == 0 for stretch in stretches)
    if len(stretches) > 1:
        longest_s = max(stretch.samples for stretch in stretches) / rate_hz
        assert 0.5 * segment_s <= longest_s <= 2 * segment_s + step / rate_hz


def test_ten_minutes_are_ten_equal_segments() -> None:
    source = info(samples=600 * 44100)
    stretches = plan_segments(source, choose_target(source, Options()), 60)
    assert [stretch.samples for stretch in stretches[:-1]] == [2297 * 1152] * 9
    assert 0 < 2297 * 1152 - stretches[-1].samples < 1152 * 10


@pytest.mark.parametrize(
    ("minutes", "count"),
    [(1, 1), (2, 2), (4, 4), (5, 4), (6, 6), (12, 12), (24, 12), (25, 24), (48, 24), (300, 156)],
)
def test_segments_can_be_shared_evenly(minutes: int, count: int) -> None:
    source = info(samples=minutes * 60 * 44100)
    assert len(plan_segments(source, choose_target(source, Options()), 60)) == count


@pytest.mark.parametrize(
    ("rate_hz", "options"),
    [(44100, Options(bitrate_kbps=128)), (44056, Options()), (767_999, Options())],
)
def test_cbr_and_rates_without_a_useful_grid_are_one_segment(
    rate_hz: int, options: Options
) -> None:
    source = info(samples=600 * rate_hz, rate_hz=rate_hz)
    assert len(plan_segments(source, choose_target(source, options), 60)) == 1


def test_a_compressed_source_is_one_segment_even_when_nobody_knows_its_length() -> None:
    source = info(samples=None, data_bytes=1_000_000)
    assert source.duration_s is None
    (stretch,) = plan_segments(source, choose_target(source, Options()), 60)
    assert stretch.start_sample == 0
    assert stretch.samples / 44100 >= 1_000_000 / (320_000 / 8)


@given(samples=st.integers(1, 10**9), source_hz=RATES, mp3_hz=st.sampled_from(SAMPLE_RATES_HZ))
def test_no_sample_is_lost_to_rounding(samples: int, source_hz: int, mp3_hz: int) -> None:
    length = resampled_length(samples, source_hz, Target(mp3_hz, 2, 2, None))
    assert length - 1 < Fraction(samples * mp3_hz, source_hz) <= length
