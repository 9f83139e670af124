"""The filters between a source's samples and LAME: gain, mixing, resampling, and the measurement of the peak.

Samples above full scale ("overs") keep their level up to MAX_PEAK, because an MP3 can hold them: only players clip
them, and a decoder with gain can restore them. A peak can only be above full scale in floats, after a positive gain, or
after resampling, which overshoots. The peak is measured only in these cases: before the limit, and again after
resampling.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from shared.mp3_options import MAX_GAIN_DB, MIN_GAIN_DB, Target
from shared.wav import FmtChunk
from worker.audio.damage import MAX_PEAK
from worker.audio.mixing import pan_filter
from worker.audio.pcm import PcmFormat

_MAX_PEAK_DB = 20 * math.log10(MAX_PEAK)
_MIN_OVER_DB = 0.05
"""The warning would show smaller values as 0.0."""
_MEASURE = "astats=measure_perchannel=none:measure_overall=Peak_level"
_MEASURED = re.compile(r"Peak level dB: (\S+)")
# asoftclip has no threshold above full scale, and powers of two lose no bits.
_LIMIT = (f"volume={1 / MAX_PEAK}", "asoftclip=type=hard", f"volume={MAX_PEAK}")


@dataclass(frozen=True, slots=True)
class Filters:
    chain: tuple[str, ...]
    measures_peak: bool

    @property
    def arguments(self) -> list[str]:
        return ["-af", ",".join(self.chain)] if self.chain else []


def choose_filters(pcm_format: PcmFormat, fmt: FmtChunk, target: Target, lead_in: int) -> Filters:
    """Return the filters for the samples of a source. `lead_in` is the silence before them, in samples of the MP3."""
    same_rate = fmt.sample_rate_hz == target.sample_rate_hz
    is_loud = not pcm_format.is_integer or target.gain_db > 0
    mix = pan_filter(fmt.channels, fmt.channel_mask, target.channels, ambisonic=fmt.ambisonic)
    delay = (f"adelay={lead_in}S:all=1",) if lead_in else ()
    if not (is_loud or mix or target.gain_db) and same_rate:
        return Filters(delay, measures_peak=False)
    has_overs = is_loud or not same_rate
    sample_format = "fltp" if has_overs else "s32p"
    layout = "mono" if target.channels == 1 else "stereo"
    gain = 10 ** (target.gain_db / 20) / fmt.full_scale
    chain = (
        "aformat=sample_fmts=fltp",  # mixing or resampling 16-bit integers would add noise
        *([f"volume={gain!r}"] if gain != 1 else []),
        *([mix] if mix else []),
        *((_MEASURE, *_LIMIT) if is_loud else ()),
        *(() if same_rate else (f"aresample={target.sample_rate_hz}", _MEASURE)),
        *delay,
        f"aformat=sample_fmts={sample_format}:channel_layouts={layout}",
    )
    return Filters(chain, measures_peak=has_overs)


class PeakMeter:
    """Collects the highest peak that ffmpeg reports."""

    peak_db: float | None = None
    """In dBFS: -inf for silence. None if it was not measured."""

    def read(self, messages: str) -> None:
        found = [float(peak) for peak in _MEASURED.findall(messages)]
        self.peak_db = max(found, default=None)


def peak_warnings(peaks_db: Iterable[float | None], target: Target) -> list[str]:
    """Return the sentence that tells the user how far the peak of all segments is above full scale."""
    peak_db = max((peak for peak in peaks_db if peak is not None), default=-math.inf)
    if peak_db < _MIN_OVER_DB:
        return []
    clipped = "players clip it"
    if peak_db > _MAX_PEAK_DB + _MIN_OVER_DB:
        clipped = f"everything above {_MAX_PEAK_DB:+.1f} dBFS was clipped"
    sentence = f"The audio peaks at {peak_db:+.1f} dBFS: {clipped}."
    gain_db = target.gain_db - peak_db
    if MIN_GAIN_DB <= gain_db <= MAX_GAIN_DB:
        sentence += f" Upload it with gain_db={gain_db:.1f} to avoid that."
    return [sentence]
