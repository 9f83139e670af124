"""The MP3 that a user requests (`Options`) and the MP3 that the service makes of a source (`Target`)."""

import codecs
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from shared.errors import BadOptions
from shared.mpeg import SAMPLE_RATES_HZ, FrameFormat
from shared.wav import WavInfo

DEFAULT_QUALITY = 2
_NO_CHARSETS = {"idna", "punycode", "unicode-escape", "raw-unicode-escape", "utf-7"}
"""Codecs of Python that no WAV uses. Some take quadratic time."""
DEFAULT_ID3_VERSION = "2.4"
PADDING_BYTES = 64 * 2**10
"""More than the size of the frames that the encoder adds before and after the audio."""
MIN_GAIN_DB, MAX_GAIN_DB = -200, 60
"""The minimum suits floats at the scale of 32-bit integers, which are 186 dB too loud."""
_MAX_MPEG25_BITRATE_KBPS = 64  # LAME's limit at 12 kHz and below
_LFE = 0x8
"""The bit of the LFE in a channel mask."""
_SPEAKERS = 0x3FFFF
_LEFT_AND_RIGHT = {0x3, 0x30, 0xC0, 0x600}
"""The pairs in a channel mask: front, back, front of centre, side."""


@dataclass(frozen=True, slots=True)
class Options:
    """The request of the user. The service chooses each value that is None."""

    quality: int | None = None
    bitrate_kbps: int | None = None
    channels: int | None = None
    sample_rate_hz: int | None = None
    gain_db: float | None = None
    tag_charset: str | None = None
    id3_version: str | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """The MP3 to make: VBR at `quality` (0 best to 9 smallest), or CBR at `bitrate_kbps`."""

    sample_rate_hz: int
    channels: int
    quality: int | None
    bitrate_kbps: int | None
    gain_db: float = 0.0

    @property
    def samples_per_frame(self) -> int:
        return FrameFormat(self.sample_rate_hz, self.channels).samples_per_frame


T = TypeVar("T", Options, Target)


def from_stored(kind: type[T], stored: Mapping[str, Any]) -> T:
    """Read a record's stored options or target. Ignore unknown keys: another release may have written them."""
    known = {field.name for field in fields(kind)}
    return kind(**{name: value for name, value in stored.items() if name in known})


def bitrates_kbps(sample_rate_hz: int) -> tuple[int, ...]:
    """Return the bitrates of CBR at this sample rate."""
    allowed = tuple(FrameFormat(sample_rate_hz, channels=2).bitrates_kbps)
    if sample_rate_hz >= 16000:
        return allowed
    return tuple(bitrate for bitrate in allowed if bitrate <= _MAX_MPEG25_BITRATE_KBPS)


BITRATES_KBPS = tuple(sorted({kbps for rate in SAMPLE_RATES_HZ for kbps in bitrates_kbps(rate)}))
"""The bitrates of CBR at any sample rate."""


def best_sample_rate_hz(source_rate_hz: int) -> int:
    """Return the source's own rate or the next higher rate of MP3.

    Above 48 kHz, return 44.1 kHz for its multiples and 48 kHz for every other rate.
    """
    higher = [rate for rate in SAMPLE_RATES_HZ if rate >= source_rate_hz]
    if higher:
        return higher[0]
    return 44100 if source_rate_hz % 44100 == 0 else 48000


def check_options(options: Options) -> None:
    """Raise BadOptions if no source allows these options."""
    if options.tag_charset and not _is_charset(options.tag_charset):
        raise BadOptions(
            f"tag_charset is unknown: {options.tag_charset[:40]!r}. Send a name such as utf-8, cp1251 or shift_jis."
        )
    if options.quality is not None and options.bitrate_kbps is not None:
        allowed = bitrates_kbps(options.sample_rate_hz or SAMPLE_RATES_HZ[-1])
        raise BadOptions(
            "quality and bitrate_kbps exclude each other. Send quality, 0 to 9 (VBR), "
            f"or bitrate_kbps, {_join_with_or(allowed)} (CBR)."
        )
    if options.sample_rate_hz is not None:
        if options.sample_rate_hz not in SAMPLE_RATES_HZ:
            raise BadOptions(f"sample_rate_hz must be one of {_join_with_or(SAMPLE_RATES_HZ)}.")
        _check_bitrate(options.bitrate_kbps, options.sample_rate_hz)
    elif options.bitrate_kbps is not None and options.bitrate_kbps not in BITRATES_KBPS:
        raise BadOptions(f"bitrate_kbps must be one of {_join_with_or(BITRATES_KBPS)}.")


def choose_sample_rate_hz(options: Options, source_rate_hz: int) -> int:
    """Return the requested sample rate, or the best one. Raises BadOptions if that rate lacks the bitrate."""
    sample_rate_hz = options.sample_rate_hz or best_sample_rate_hz(source_rate_hz)
    _check_bitrate(options.bitrate_kbps, sample_rate_hz)
    return sample_rate_hz


def choose_target(info: WavInfo, options: Options) -> Target:
    """Fill the options that the user left open. Raises BadOptions if the sample rate lacks the bitrate."""
    sample_rate_hz = choose_sample_rate_hz(options, info.fmt.sample_rate_hz)
    quality = None if options.bitrate_kbps else options.quality
    if quality is None and options.bitrate_kbps is None:
        quality = DEFAULT_QUALITY
    return Target(
        sample_rate_hz=sample_rate_hz,
        channels=options.channels or min(info.fmt.channels, 2),
        quality=quality,
        bitrate_kbps=options.bitrate_kbps,
        gain_db=options.gain_db or 0.0,
    )


def max_mp3_bytes(target: Target, duration_s: float) -> int:
    """Return the size of the audio at the highest bitrate that the target allows. VBR uses less."""
    bitrate_kbps = target.bitrate_kbps or max(bitrates_kbps(target.sample_rate_hz))
    return round(125 * bitrate_kbps * duration_s)


def target_warnings(info: WavInfo, target: Target) -> list[str]:
    """Return the sentences that tell the user how the channels were mixed and the sample rate changed."""
    fmt = info.fmt
    warnings = []
    if fmt.channels > target.channels:
        layout = "stereo" if target.channels == 2 else "mono"
        mixed = f"The {fmt.channels} channels were mixed to {layout}"
        warnings.append(f"{mixed} and scaled so that nothing clips.{_describe_mix(info, target)}")
    if (
        fmt.channels == 2
        and fmt.channel_mask
        and _lowest_two(fmt.channel_mask) not in _LEFT_AND_RIGHT
    ):
        warnings.append(
            "The header gives the two channels other speakers than left and right "
            f"(channel mask 0x{fmt.channel_mask:X}). They were read as left and right."
        )
    if fmt.sample_rate_hz != target.sample_rate_hz:
        warnings.append(
            f"The sample rate was changed from {fmt.sample_rate_hz} to {target.sample_rate_hz} Hz."
        )
    return warnings


def _describe_mix(info: WavInfo, target: Target) -> str:
    fmt = info.fmt
    if fmt.ambisonic:
        used = "W and Y" if target.channels == 2 else "W"
        return f" They are B-format: only {used} went into the MP3. The others were left out."
    if fmt.channels == 2:
        return ""
    if fmt.channel_mask == 0:
        return " The WAV names no speakers, so every channel was mixed equally into each channel of the MP3."
    named = (fmt.channel_mask & _SPEAKERS).bit_count()
    unnamed = (
        f" The WAV names speakers for {named} of them. The others were mixed equally into each channel of the MP3."
        if named < fmt.channels
        else ""
    )
    if (
        fmt.channel_mask & _LFE
        and (place := (fmt.channel_mask & (_LFE - 1)).bit_count()) < fmt.channels
    ):
        return f"{unnamed} The LFE, channel {place + 1}, was left out."
    return unnamed


def _lowest_two(mask: int) -> int:
    lowest = mask & -mask
    rest = mask ^ lowest
    return lowest | rest & -rest


def _is_charset(name: str) -> bool:
    try:
        b"a".decode(name)
        return codecs.lookup(name).name not in _NO_CHARSETS
    except (LookupError, ValueError):
        return False


def _check_bitrate(bitrate_kbps: int | None, sample_rate_hz: int) -> None:
    allowed = bitrates_kbps(sample_rate_hz)
    if bitrate_kbps is not None and bitrate_kbps not in allowed:
        raise BadOptions(
            f"An MP3 at {sample_rate_hz} Hz cannot have {bitrate_kbps} kbit/s. "
            f"bitrate_kbps must be one of {_join_with_or(allowed)}."
        )


def _join_with_or(values: tuple[int, ...]) -> str:
    return f"{', '.join(map(str, values[:-1]))} or {values[-1]}"
