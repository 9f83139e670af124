import re
import subprocess

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.worker.conversion import Voices
from tests.worker.mp3.mp3_material import FFMPEG
from worker.audio.mixing import pan_filter

FL, FR, FC, LFE, BL, BR, FLC, FRC, BC, SL, SR, TC = (1 << bit for bit in range(12))
TBL = 0x8000
AT_3_DB = 0.70710678


def gains(channels: int, mask: int, target_channels: int, *, ambisonic: bool = False) -> Voices:
    """Parse the gains of the filter; shape (target channels, channels)."""
    description = pan_filter(channels, mask, target_channels, ambisonic=ambisonic)
    assert description is not None
    table = np.zeros((target_channels, channels))
    for row, side in enumerate(description.split("|")[1:]):
        for gain, channel in re.findall(r"(-?[0-9.]+)\*c(\d+)", side):
            table[row, int(channel)] += float(gain)
    return table


def through_ffmpeg(description: str, voices: Voices) -> Voices:
    raw = ["-f", "f32le", "-ch_layout", f"{voices.shape[1]}C", "-i", "pipe:0"]
    command = [*FFMPEG, *raw, "-af", description, "-f", "f32le", "-"]
    samples = voices.astype("<f4").tobytes()
    mixed = subprocess.run(command, input=samples, capture_output=True, check=True).stdout
    return np.frombuffer(mixed, "<f4").reshape(len(voices), -1)


@pytest.mark.parametrize(("channels", "mask"), [(1, 0), (1, FL), (1, LFE), (2, 0), (2, FC | BC)])
def test_one_and_two_channels_stay_unchanged(channels: int, mask: int) -> None:
    assert pan_filter(channels, mask, channels) is None


def test_mono_becomes_two_equal_channels() -> None:
    mono = np.linspace(-1, 1, 100)[:, None]
    mixed = through_ffmpeg(pan_filter(1, FL, 2) or "", mono)
    assert np.allclose(mixed, mono.repeat(2, axis=1), atol=1e-6)


def test_stereo_becomes_mono_at_half_gain() -> None:
    assert np.allclose(gains(2, FL | FR, 1), [[0.5, 0.5]])


@pytest.mark.parametrize(
    ("channels", "mask", "left", "right"),
    [
        (3, FL | FR | FC, [1, 0, AT_3_DB], [0, 1, AT_3_DB]),
        (3, FL | FR | LFE, [1, 0, 0], [0, 1, 0]),
        (4, 0x33, [1, 0, AT_3_DB, 0], [0, 1, 0, AT_3_DB]),
        (4, FL | FR | FC | BC, [1, 0, AT_3_DB, 0.5], [0, 1, AT_3_DB, 0.5]),
        (6, 0x3F, [1, 0, AT_3_DB, 0, AT_3_DB, 0], [0, 1, AT_3_DB, 0, 0, AT_3_DB]),
        (6, 0x60F, [1, 0, AT_3_DB, 0, AT_3_DB, 0], [0, 1, AT_3_DB, 0, 0, AT_3_DB]),
        (3, BL | SR | TBL, [AT_3_DB, 0, AT_3_DB], [0, AT_3_DB, 0]),
        (3, FL | SL | FLC, [1, 1, AT_3_DB], [0, 0, 0]),
        (3, FL, [1, AT_3_DB, AT_3_DB], [0, AT_3_DB, AT_3_DB]),
        (3, LFE | TC, [0, 0.5, AT_3_DB], [0, 0.5, AT_3_DB]),
    ],
)
def test_speakers_go_to_their_side(
    channels: int, mask: int, left: list[float], right: list[float]
) -> None:
    expected = np.array([left, right]) / max(sum(left), sum(right))
    assert np.allclose(gains(channels, mask, 2), expected)
    mono = np.add(left, right)
    assert np.allclose(gains(channels, mask, 1), mono / mono.sum())


@pytest.mark.parametrize("channels", [3, 4, 5, 6, 7, 8, 10, 12, 64])
def test_tracks_without_a_mask_are_equally_loud(channels: int) -> None:
    """A field recorder's tracks are no speakers: none may be taken for an LFE."""
    for target_channels in (1, 2):
        assert np.allclose(gains(channels, 0, target_channels), 1 / channels)


@pytest.mark.parametrize("channels", [3, 4, 9, 16])
def test_b_format_becomes_two_cardioids(channels: int) -> None:
    """W is the pressure, Y is left minus right, X is front and Z is up."""
    stereo = gains(channels, 0, 2, ambisonic=True)
    assert np.array_equal(stereo[:, :3], [[0.5, 0, 0.5], [0.5, 0, -0.5]])
    assert not stereo[:, 3:].any()
    assert np.array_equal(gains(channels, 0, 1, ambisonic=True)[0], np.eye(channels)[0])
    voices = np.random.default_rng(channels).uniform(-1, 1, (50, channels)).astype(np.float32)
    mixed = through_ffmpeg(pan_filter(channels, 0, 2, ambisonic=True) or "", voices)
    assert np.allclose(mixed, voices @ stereo.T, atol=1e-6)


@given(channels=st.integers(3, 64), mask=st.integers(0, 2**32 - 1), target=st.sampled_from([1, 2]))
def test_no_mask_clips_or_loses_a_speaker(channels: int, mask: int, target: int) -> None:
    table = gains(channels, mask, target)
    assert (table >= 0).all()
    assert np.max(table.sum(axis=1)) == pytest.approx(1, abs=1e-6)
    assert np.count_nonzero(table.sum(axis=0) == 0) <= 1


@settings(max_examples=30, deadline=None)
@given(channels=st.integers(3, 64), mask=st.integers(0, 2**18 - 1), target=st.sampled_from([1, 2]))
def test_ffmpeg_applies_the_gains(channels: int, mask: int, target: int) -> None:
    voices = np.random.default_rng(channels).uniform(-1, 1, (50, channels)).astype(np.float32)
    mixed = through_ffmpeg(pan_filter(channels, mask, target) or "", voices)
    assert np.allclose(mixed, voices @ gains(channels, mask, target).T, atol=1e-5)
