"""Divides a record into segments on a grid of whole MP3 frames.

The segments depend only on the source and the options, so the MP3 has the same bytes with any number of workers.
docs/decisions/segment-length.md says why a segment has 150 s.
"""

from dataclasses import dataclass
from math import ceil, gcd

from shared.mp3_options import Target
from shared.wav import WavInfo

_MIN_COMPRESSED_BYTES_PER_S = 1000  # 8 kbit/s
_TYPICAL_COMPRESSED_BYTES_PER_S = 4000  # 32 kbit/s
_SEGMENT_MULTIPLE = 12
_MAX_GRID_FRAMES = 64
"""A source with a coarser grid, such as one at 44,056 Hz, is one segment: the run-ins would cost too much."""


@dataclass(frozen=True, slots=True)
class SampleRange:
    """A range of the source, in samples of each channel at the source's rate."""

    start_sample: int
    samples: int


@dataclass(frozen=True, slots=True)
class Grid:
    """The step between the places where segments may start: `samples` of the source make exactly `frames` frames."""

    samples: int
    frames: int


def grid(source_rate_hz: int, target: Target) -> Grid:
    """Return the finest grid."""
    frame = target.samples_per_frame * source_rate_hz
    samples = frame // gcd(frame, target.sample_rate_hz)
    return Grid(samples, samples * target.sample_rate_hz // frame)


def resampled_length(samples: int, source_rate_hz: int, target: Target) -> int:
    """Return the number of MP3 samples for `samples` of the source, rounded up."""
    return -(-samples * target.sample_rate_hz // source_rate_hz)


def estimate_duration_s(info: WavInfo) -> float:
    """Return the duration. If the header of a compressed source does not give it, guess it from the bytes."""
    return info.duration_s or info.data_bytes / _TYPICAL_COMPRESSED_BYTES_PER_S


def plan_segments(info: WavInfo, target: Target, segment_s: float) -> list[SampleRange]:
    """Return the segments of a record in order, of about `segment_s` each, or up to twice that in long records.

    All have the same length except the last. CBR is one segment, because the bit reservoir runs through the whole MP3.
    A compressed source is one segment, because its decoder's state runs through the whole source. The length of a
    compressed source is an estimate. If the header does not give one, it is the maximum for this number of bytes.
    """
    if info.samples is None:
        duration_s = info.duration_s or info.data_bytes / _MIN_COMPRESSED_BYTES_PER_S
        return [SampleRange(0, round(duration_s * info.fmt.sample_rate_hz))]
    step = grid(info.fmt.sample_rate_hz, target)
    if target.quality is None or step.frames > _MAX_GRID_FRAMES:
        return [SampleRange(0, info.samples)]
    count = _choose_count(info.samples / info.fmt.sample_rate_hz, segment_s)
    length = -(-info.samples // (count * step.samples)) * step.samples
    return [
        SampleRange(start, min(length, info.samples - start))
        for start in range(0, info.samples, length)
    ]


def _choose_count(duration_s: float, segment_s: float) -> int:
    """Choose a count that divides evenly, so that 2, 3, 4 or 6 workers finish together.

    It is a multiple of 2 for short recordings and a multiple of 12 for long ones.
    """
    count = 2 * round(duration_s / segment_s / 2)
    if count <= _SEGMENT_MULTIPLE:
        return max(1, count)
    return _SEGMENT_MULTIPLE * ceil(duration_s / segment_s / 2 / _SEGMENT_MULTIPLE)
