from math import inf

import pytest

from shared.mp3_options import Target
from worker.audio import peak_warnings


def target(gain_db: float = 0.0) -> Target:
    return Target(44100, 2, quality=2, bitrate_kbps=None, gain_db=gain_db)


@pytest.mark.parametrize("peaks_db", [[], [None], [-inf], [-3.0, None], [0.04]])
def test_a_peak_below_full_scale_gives_no_warning(peaks_db: list[float | None]) -> None:
    assert peak_warnings(peaks_db, target()) == []


@pytest.mark.parametrize(
    ("peak_db", "gain_db", "told"),
    [
        (6.02, 0.0, "peaks at +6.0 dBFS: players clip it. Upload it with gain_db=-6.0"),
        (2.0, 5.0, "peaks at +2.0 dBFS: players clip it. Upload it with gain_db=3.0"),
        (
            90.3,
            0.0,
            "+90.3 dBFS: everything above +18.1 dBFS was clipped. Upload it with gain_db=-90.3",
        ),
    ],
)
def test_the_warning_says_the_peak_and_the_gain(peak_db: float, gain_db: float, told: str) -> None:
    (warning,) = peak_warnings([None, -20.0, peak_db], target(gain_db))
    assert told in warning


def test_a_gain_outside_the_limits_is_not_advised() -> None:
    (warning,) = peak_warnings([600.0], target())
    assert "gain_db" not in warning
