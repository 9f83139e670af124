import pytest

from shared.errors import BadOptions
from shared.mp3_options import (
    Options,
    Target,
    best_sample_rate_hz,
    bitrates_kbps,
    check_options,
    choose_target,
    max_mp3_bytes,
    target_warnings,
)
from shared.mpeg import SAMPLE_RATES_HZ
from tests.shared.wav_infos import wav_info


@pytest.mark.parametrize(
    ("source_hz", "mp3_hz"),
    [(rate, rate) for rate in SAMPLE_RATES_HZ]
    + [(1000, 8000), (6000, 8000), (11000, 11025), (37800, 44100), (44056, 44100)]
    + [(47951, 48000), (50000, 48000), (64000, 48000), (88200, 44100), (96000, 48000)]
    + [(176400, 44100), (192000, 48000), (352800, 44100), (384000, 48000), (768000, 48000)],
)
def test_the_best_rate_loses_nothing(source_hz: int, mp3_hz: int) -> None:
    assert best_sample_rate_hz(source_hz) == mp3_hz


def test_the_default_is_vbr_quality_2() -> None:
    assert choose_target(wav_info(), Options()) == Target(44100, 2, quality=2, bitrate_kbps=None)


@pytest.mark.parametrize(
    ("options", "target"),
    [
        (Options(quality=0), Target(44100, 2, 0, None)),
        (Options(bitrate_kbps=320), Target(44100, 2, None, 320)),
        (Options(channels=1), Target(44100, 1, 2, None)),
        (Options(sample_rate_hz=8000, bitrate_kbps=8), Target(8000, 2, None, 8)),
    ],
)
def test_options_decide_the_target(options: Options, target: Target) -> None:
    check_options(options)
    assert choose_target(wav_info(), options) == target


@pytest.mark.parametrize(("channels", "mp3_channels"), [(1, 1), (2, 2), (3, 2), (64, 2)])
def test_more_than_two_channels_become_two(channels: int, mp3_channels: int) -> None:
    source = wav_info(channels=channels)
    assert choose_target(source, Options()).channels == mp3_channels
    told = target_warnings(source, choose_target(source, Options()))
    assert len(told) == (channels > 2)
    assert all(f"The {channels} channels were mixed to stereo" in note for note in told)


@pytest.mark.parametrize(
    ("channels", "mask", "told"),
    [
        (6, 0x3F, "The LFE, channel 4, was left out"),
        (3, 0xB, "The LFE, channel 3, was left out"),
        (7, 0, "every channel was mixed equally into each channel of the MP3"),
        (4, 0x3, "names speakers for 2 of them. The others were mixed equally"),
        (3, 0x80000003, "names speakers for 2 of them"),
    ],
)
def test_the_warning_names_the_channel_left_out(channels: int, mask: int, told: str) -> None:
    source = wav_info(channels=channels, channel_mask=mask)
    (note,) = target_warnings(source, choose_target(source, Options()))
    assert told in note


def test_a_mask_without_an_lfe_leaves_nothing_out() -> None:
    source = wav_info(channels=4, channel_mask=0x33)
    (note,) = target_warnings(source, choose_target(source, Options()))
    assert "left out" not in note


@pytest.mark.parametrize(
    ("mask", "is_told"),
    [
        (0, False),
        (0x3, False),
        (0x30, False),
        (0x600, False),
        (0x3FFFF, False),
        (0xC, True),
        (4, True),
    ],
)
def test_two_channels_of_other_speakers_are_reported(mask: int, *, is_told: bool) -> None:
    source = wav_info(channels=2, channel_mask=mask)
    told = target_warnings(source, choose_target(source, Options()))
    assert ["other speakers than left and right" in note for note in told] == [True] * is_told


def test_the_warning_names_the_b_format_channels() -> None:
    source = wav_info(channels=4, ambisonic=True)
    (note,) = target_warnings(source, choose_target(source, Options()))
    assert "only W and Y" in note


def test_another_sample_rate_is_reported() -> None:
    source = wav_info(rate_hz=96000)
    (note,) = target_warnings(source, choose_target(source, Options()))
    assert "from 96000 to 48000 Hz" in note


@pytest.mark.parametrize("channels", [2, 6])
def test_mixing_to_mono_is_reported(channels: int) -> None:
    source = wav_info(channels=channels)
    (note,) = target_warnings(source, choose_target(source, Options(channels=1)))
    assert f"{channels} channels were mixed to mono" in note


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (Options(quality=2, bitrate_kbps=128), "exclude each other"),
        *[
            (Options(tag_charset=name), "tag_charset is unknown")
            for name in ("klingon", "idna", "hex")
        ],
        (Options(sample_rate_hz=96000), "8000, 11025, .* or 48000"),
        (Options(bitrate_kbps=100), "8, 16, .* or 320"),
        (Options(sample_rate_hz=8000, bitrate_kbps=128), "8, 16, 24, 32, 40, 48, 56 or 64"),
        (Options(sample_rate_hz=48000, bitrate_kbps=8), "32, 40, .* or 320"),
    ],
)
def test_impossible_options_are_refused(options: Options, names: str) -> None:
    with pytest.raises(BadOptions, match=names):
        check_options(options)


def test_the_sources_rate_limits_the_bitrate() -> None:
    check_options(Options(bitrate_kbps=320))
    with pytest.raises(BadOptions, match=r"8000 Hz cannot have 320 kbit/s.* or 64"):
        choose_target(wav_info(rate_hz=8000), Options(bitrate_kbps=320))


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


@pytest.mark.parametrize(
    ("target", "most_kbps"),
    [
        (Target(48000, 2, None, 128), 128),
        (Target(44100, 2, 2, None), 320),
        (Target(22050, 1, 2, None), 160),
        (Target(8000, 1, 9, None), 64),
    ],
)
def test_the_largest_mp3_has_the_highest_bitrate(target: Target, most_kbps: int) -> None:
    assert max_mp3_bytes(target, 10) == most_kbps * 1250
