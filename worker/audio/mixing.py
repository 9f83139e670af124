"""Mixes a source's channels to one or two, with ffmpeg's `pan` filter and our own gains.

The gains follow ITU-R BS.775. A speaker between left and right goes to both at -3 dB. A speaker at the side, at the
back or above goes to its side at -3 dB. The LFE is left out. All gains are scaled so that the loudest possible sum is
full scale, so nothing can clip. Speakers are the bits of WAVE_FORMAT_EXTENSIBLE's dwChannelMask, lowest first. Channels
beyond the speakers in the mask go to both sides, and so does every channel of a file without a mask: its channels are
tracks of unknown use, such as the tracks of a field recorder. `mp3_options.target_warnings` tells users how they were
mixed.

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
_STEREO = 0x3


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
    mask = _STEREO if channels == 2 else mask
    named = (gain for bit, gain in enumerate(_SPEAKERS) if mask >> bit & 1)
    return [gain for gain, _ in zip(chain(named, repeat(_MIDDLE)), range(channels), strict=False)]


def _b_format_gains(channels: int) -> list[tuple[float, float]]:
    return [_W, _X, _Y, *repeat((0.0, 0.0), channels)][:channels]


def _scale(sides: list[list[float]]) -> list[list[float]]:
    loudest = max(sum(map(abs, side)) for side in sides)
    return [[gain / loudest for gain in side] for side in sides]


def _sum(gains: list[float]) -> str:
    return "+".join(f"{gain:.8f}*c{index}" for index, gain in enumerate(gains) if gain) or "0*c0"
