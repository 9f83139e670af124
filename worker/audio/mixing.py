"""Mixes a source's channels to one or two, with ffmpeg's `pan` filter and gains of our own.

The gains follow ITU-R BS.775. A speaker between left and right goes to both at -3 dB. One at the side, at the back or
above goes to its side at -3 dB. The LFE is left out. All gains are scaled so that the loudest possible sum is full
scale, so nothing can clip. Speakers are the bits of WAVE_FORMAT_EXTENSIBLE's dwChannelMask, lowest first. Channels
beyond the speakers in the mask go to both sides.

Ambisonic B-format is mixed as if recorded by two cardioids that point left and right: W + Y and W - Y.
"""

from itertools import chain, repeat
from math import sqrt

_MINUS_3_DB = sqrt(0.5)
_LEFT, _RIGHT = (1.0, 0.0), (0.0, 1.0)
_FAR_LEFT, _FAR_RIGHT = (_MINUS_3_DB, 0.0), (0.0, _MINUS_3_DB)
_MIDDLE, _FAR_MIDDLE = (_MINUS_3_DB, _MINUS_3_DB), (0.5, 0.5)
_LFE = (0.0, 0.0)
_W, _X, _Y = (1.0, 1.0), (0.0, 0.0), (1.0, -1.0)

_SPEAKERS = (
    # front left, right, centre, LFE; back left, right; front left and right of centre; back centre
    *(_LEFT, _RIGHT, _MIDDLE, _LFE, _FAR_LEFT, _FAR_RIGHT, _LEFT, _RIGHT, _FAR_MIDDLE),
    # side left, right; top centre; top front left, centre, right; top back left, centre, right
    *(_FAR_LEFT, _FAR_RIGHT, _FAR_MIDDLE),
    *(_FAR_LEFT, _FAR_MIDDLE, _FAR_RIGHT, _FAR_LEFT, _FAR_MIDDLE, _FAR_RIGHT),
)
_USUAL_MASKS = {
    2: 0x3,
    3: 0x7,  # left, right, centre
    4: 0x33,  # quadraphonic
    5: 0x37,
    6: 0x3F,  # 5.1
    7: 0x70F,  # 6.1
    8: 0x63F,  # 7.1
    10: 0x2D03F,  # 5.1.4
    12: 0x2D63F,  # 7.1.4
}


def pan_filter(
    channels: int, channel_mask: int, target_channels: int, *, ambisonic: bool = False
) -> str | None:
    """Return the filter in ffmpeg's syntax, or None if the channels stay as they are."""
    if channels == target_channels:
        return None
    if channels == 1:
        return "pan=stereo|c0=c0|c1=c0"
    gains = _b_format_gains(channels) if ambisonic else _mask_gains(channels, channel_mask)
    if target_channels == 1:
        return f"pan=mono|c0={_sum(_scale([[left + right for left, right in gains]])[0])}"
    left, right = map(_sum, _scale([list(side) for side in zip(*gains, strict=True)]))
    return f"pan=stereo|c0={left}|c1={right}"


def _mask_gains(channels: int, mask: int) -> list[tuple[float, float]]:
    # Two channels are left and right, even if the mask says otherwise.
    mask = mask if mask and channels > 2 else _USUAL_MASKS.get(channels, 0)
    named = (gain for bit, gain in enumerate(_SPEAKERS) if mask >> bit & 1)
    gains = [gain for gain, _ in zip(chain(named, repeat(_MIDDLE)), range(channels), strict=False)]
    only_lfe = all(gain == _LFE for gain in gains)
    return [_MIDDLE] * channels if only_lfe else gains


def _b_format_gains(channels: int) -> list[tuple[float, float]]:
    return [_W, _X, _Y, *repeat((0.0, 0.0), channels)][:channels]


def _scale(sides: list[list[float]]) -> list[list[float]]:
    loudest = max(sum(map(abs, side)) for side in sides)
    return [[gain / loudest for gain in side] for side in sides]


def _sum(gains: list[float]) -> str:
    return "+".join(f"{gain:.8f}*c{index}" for index, gain in enumerate(gains) if gain) or "0*c0"
