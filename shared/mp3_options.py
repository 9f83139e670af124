"""The MP3 that a user can ask for, and the one that is made of a source.

Rates and bitrates are those of ISO/IEC 11172-3 and 13818-3 (layer III), and LAME's for the MPEG-2.5 extension.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from shared.errors import BadOptions
from shared.wav import WavInfo

SAMPLE_RATES_HZ = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_MPEG1_BITRATES_KBPS = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_MPEG2_BITRATES_KBPS = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_MPEG25_BITRATES_KBPS = (8, 16, 24, 32, 40, 48, 56, 64)
DEFAULT_QUALITY = 2


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


T = TypeVar("T", Options, Target)


def from_stored(kind: type[T], stored: Mapping[str, Any]) -> T:
    """Read what a record stores. Ignore unknown keys, because another release may have written them."""
    known = {field.name for field in fields(kind)}
    return kind(**{name: value for name, value in stored.items() if name in known})


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


def mix_warnings(info: WavInfo, target: Target) -> list[str]:
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
