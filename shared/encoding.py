"""What an MP3 can be, what the uploader asked for, and how a record is cut into segments.

Rates and bitrates are those of ISO/IEC 11172-3 and 13818-3 (layer III) and of the MPEG-2.5 extension as LAME has it.
The grid depends on the source and the options alone, never on who encodes: that is what makes the MP3 the same byte for
byte from any number of workers.
"""

from dataclasses import dataclass
from math import ceil, gcd

from shared.errors import BadOptions
from shared.wav import WavInfo

SAMPLE_RATES_HZ = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_MPEG1_BITRATES_KBPS = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_MPEG2_BITRATES_KBPS = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_MPEG25_BITRATES_KBPS = (8, 16, 24, 32, 40, 48, 56, 64)
_LEAST_BYTES_PER_S = 1000  # of compressed sources: 8 kbit/s
DEFAULT_QUALITY = 2
DOZEN = 12
MAX_STEP_FRAMES = 64
"""A source whose grid is coarser, such as one of 44,056 Hz, is one segment: its run-ins would cost too much."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the uploader asked for. `None` leaves the choice to the service."""

    quality: int | None = None
    bitrate_kbps: int | None = None
    channels: int | None = None
    sample_rate_hz: int | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """The MP3 to make: VBR at `quality` (0 best to 9 smallest), or CBR at `bitrate_kbps`."""

    sample_rate_hz: int
    channels: int
    quality: int | None
    bitrate_kbps: int | None

    @property
    def samples_per_frame(self) -> int:
        return 1152 if self.sample_rate_hz >= 32000 else 576


@dataclass(frozen=True, slots=True)
class Stretch:
    """A segment's place in the source: samples of each channel, at the source's rate."""

    start_sample: int
    samples: int


def bitrates_kbps(sample_rate_hz: int) -> tuple[int, ...]:
    """The CBR bitrates that an MP3 of this rate can have."""
    if sample_rate_hz >= 32000:
        return _MPEG1_BITRATES_KBPS
    return _MPEG2_BITRATES_KBPS if sample_rate_hz >= 16000 else _MPEG25_BITRATES_KBPS


def best_sample_rate_hz(source_rate_hz: int) -> int:
    """The MP3 rate for a source: its own, else the next one up; beyond 48 kHz that of its family, 44.1 or 48 kHz."""
    higher = [rate for rate in SAMPLE_RATES_HZ if rate >= source_rate_hz]
    if higher:
        return higher[0]
    return 44100 if source_rate_hz % 44100 == 0 else 48000


def check_options(options: Options) -> None:
    """Refuse what no source could make right. Raises BadOptions."""
    if options.quality is not None and options.bitrate_kbps is not None:
        allowed = bitrates_kbps(options.sample_rate_hz or SAMPLE_RATES_HZ[-1])
        raise BadOptions(
            "quality and bitrate_kbps exclude each other. Send quality, 0 to 9 (VBR), "
            f"or bitrate_kbps, {_listed(allowed)} (CBR)."
        )
    if options.sample_rate_hz is not None:
        if options.sample_rate_hz not in SAMPLE_RATES_HZ:
            raise BadOptions(f"sample_rate_hz must be one of {_listed(SAMPLE_RATES_HZ)}.")
        _check_bitrate(options.bitrate_kbps, options.sample_rate_hz)
    elif options.bitrate_kbps is not None:
        every = sorted({*_MPEG1_BITRATES_KBPS, *_MPEG2_BITRATES_KBPS})
        if options.bitrate_kbps not in every:
            raise BadOptions(f"bitrate_kbps must be one of {_listed(tuple(every))}.")


def check_source_rate(options: Options, source_rate_hz: int) -> int:
    """The MP3's rate for a source of this rate. Raises BadOptions when that lacks the bitrate."""
    sample_rate_hz = options.sample_rate_hz or best_sample_rate_hz(source_rate_hz)
    _check_bitrate(options.bitrate_kbps, sample_rate_hz)
    return sample_rate_hz


def choose_target(info: WavInfo, options: Options) -> Target:
    """Settle what the source leaves open. Raises BadOptions when the source's rate lacks the bitrate."""
    sample_rate_hz = check_source_rate(options, info.sample_rate_hz)
    quality = None if options.bitrate_kbps else options.quality
    if quality is None and options.bitrate_kbps is None:
        quality = DEFAULT_QUALITY
    return Target(
        sample_rate_hz=sample_rate_hz,
        channels=options.channels or min(info.channels, 2),
        quality=quality,
        bitrate_kbps=options.bitrate_kbps,
    )


@dataclass(frozen=True, slots=True)
class Grid:
    """Where a source may be cut: every `samples` of it make exactly `frames` of the MP3."""

    samples: int
    frames: int


def grid(source_rate_hz: int, target: Target) -> Grid:
    frame = target.samples_per_frame * source_rate_hz
    samples = frame // gcd(frame, target.sample_rate_hz)
    return Grid(samples, samples * target.sample_rate_hz // frame)


def resampled(samples: int, source_rate_hz: int, target: Target) -> int:
    """How many samples of the MP3 so many of the source become."""
    return -(-samples * target.sample_rate_hz // source_rate_hz)


def cut(info: WavInfo, target: Target, segment_s: float) -> list[Stretch]:
    """The segments of a record, in order: equal stretches of about `segment_s`, on the grid but for the end.

    In a long recording they are up to twice as long.

    CBR carries its bit reservoir, and compressed sources their decoder's state, from end to end: those are one segment.
    The length of a compressed one is an estimate, and the most that it can be where its header does not say.
    """
    if info.samples is None:
        duration_s = info.duration_s or info.data_bytes / _LEAST_BYTES_PER_S
        return [Stretch(0, round(duration_s * info.sample_rate_hz))]
    step = grid(info.sample_rate_hz, target)
    if target.quality is None or step.frames > MAX_STEP_FRAMES:
        return [Stretch(0, info.samples)]
    count = _count(info.samples / info.sample_rate_hz, segment_s)
    length = -(-info.samples // (count * step.samples)) * step.samples
    return [
        Stretch(start, min(length, info.samples - start))
        for start in range(0, info.samples, length)
    ]


def _count(duration_s: float, segment_s: float) -> int:
    """Two by two, so that two workers end together; whole dozens where longer ones save work, so that 3, 4 or 6 do."""
    count = 2 * round(duration_s / segment_s / 2)
    if count <= DOZEN:
        return max(1, count)
    return DOZEN * ceil(duration_s / segment_s / 2 / DOZEN)


def notes(info: WavInfo, target: Target) -> list[str]:
    """What the uploader should know of the conversion."""
    if info.channels > 2 and target.channels == 2:
        return [
            f"The {info.channels} channels were mixed to stereo and scaled so that nothing clips."
        ]
    if info.channels > 2:
        return [
            f"The {info.channels} channels were mixed to mono and scaled so that nothing clips."
        ]
    return []


def _check_bitrate(bitrate_kbps: int | None, sample_rate_hz: int) -> None:
    allowed = bitrates_kbps(sample_rate_hz)
    if bitrate_kbps is not None and bitrate_kbps not in allowed:
        raise BadOptions(
            f"An MP3 of {sample_rate_hz} Hz has no {bitrate_kbps} kbit/s. "
            f"bitrate_kbps must be one of {_listed(allowed)}."
        )


def _listed(values: tuple[int, ...]) -> str:
    return f"{', '.join(map(str, values[:-1]))} or {values[-1]}"
