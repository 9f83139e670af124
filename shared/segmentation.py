"""How a record is divided into segments, on a grid of whole MP3 frames.

The segments depend on the source and the options alone, never on the worker: so the MP3 has the same bytes from any
number of workers.
"""

from dataclasses import dataclass
from math import ceil, gcd

from shared.mp3_options import Target
from shared.wav import WavInfo

_LEAST_BYTES_PER_S = 1000  # of compressed sources: 8 kbit/s
SEGMENT_MULTIPLE = 12
MAX_STEP_FRAMES = 64
"""A source whose grid is coarser, such as one of 44,056 Hz, is one segment: its run-ins would cost too much."""


@dataclass(frozen=True, slots=True)
class SampleRange:
    """A segment's place in the source: samples of each channel, at the source's rate."""

    start_sample: int
    samples: int


@dataclass(frozen=True, slots=True)
class Grid:
    """Where a source may be cut: every `samples` of it make exactly `frames` of the MP3."""

    samples: int
    frames: int


def grid(source_rate_hz: int, target: Target) -> Grid:
    frame = target.samples_per_frame * source_rate_hz
    samples = frame // gcd(frame, target.sample_rate_hz)
    return Grid(samples, samples * target.sample_rate_hz // frame)


def resampled_length(samples: int, source_rate_hz: int, target: Target) -> int:
    """How many samples of the MP3 so many of the source become."""
    return -(-samples * target.sample_rate_hz // source_rate_hz)


def plan_segments(info: WavInfo, target: Target, segment_s: float) -> list[SampleRange]:
    """The segments of a record, in order: equal stretches of about `segment_s`, on the grid but for the end.

    In a long recording they are up to twice as long.

    CBR carries its bit reservoir, and compressed sources their decoder's state, from end to end: those are one segment.
    The length of a compressed one is an estimate, and the most that it can be where its header does not say.
    """
    if info.samples is None:
        duration_s = info.duration_s or info.data_bytes / _LEAST_BYTES_PER_S
        return [SampleRange(0, round(duration_s * info.fmt.sample_rate_hz))]
    step = grid(info.fmt.sample_rate_hz, target)
    if target.quality is None or step.frames > MAX_STEP_FRAMES:
        return [SampleRange(0, info.samples)]
    count = _count(info.samples / info.fmt.sample_rate_hz, segment_s)
    length = -(-info.samples // (count * step.samples)) * step.samples
    return [
        SampleRange(start, min(length, info.samples - start))
        for start in range(0, info.samples, length)
    ]


def _count(duration_s: float, segment_s: float) -> int:
    """Two by two, so that two workers end together; whole dozens where longer ones save work, so that 3, 4 or 6 do."""
    count = 2 * round(duration_s / segment_s / 2)
    if count <= SEGMENT_MULTIPLE:
        return max(1, count)
    return SEGMENT_MULTIPLE * ceil(duration_s / segment_s / 2 / SEGMENT_MULTIPLE)
