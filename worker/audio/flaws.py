"""The flaws of a source's samples: counts, and the sentences about them for the user."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields

from shared.wav import WavInfo

_MIN_CONTRADICTION_S = 0.1
"""Encoders and decoders differ by less, because of their delays and paddings."""
_REPEATED = r"(?:\n +Last message repeated ([0-9]+) times)?"
_DECODER_ERROR = re.compile(r"\[dec:[^\]]*\] \[error\] .*" + _REPEATED)
_CRC_ERROR = re.compile(r"\[error\] .*CRC.*" + _REPEATED)
# ffmpeg's line about its input, then that about its output: the rate, and the layout without "(side)" or "(back)".
_FORMAT = re.compile(r"Stream #0:0.*: Audio: .*?, ([0-9]+ Hz, [^,(]+)")
_CHANGED = "because audio parameters changed"
_ANY_ERROR = re.compile(r"\[error\]")

_CONTRADICTION = (
    "The compressed audio has another sample rate or other channels than the WAV's header says, or changes them in "
    "the middle. All of it was converted to one format."
)
_STRAY = (
    "At least {} bytes of the compressed audio belong to no frame. They may be a tag after the audio or a damaged "
    "place, and were left out."
)
_DECODER_ERRORS = (
    "The compressed audio is damaged at {} place(s) or more{}. The rest was converted, but may be shifted after each "
    "of them."
)
# The key is the name of the count in `Flaws`.
_SENTENCES = {
    "nan_samples": "{} are not numbers (NaN). They were converted as silence.",
    "infinite_samples": "{} are infinite or extremely high. They were limited to 8 times full scale.",
    "silenced_samples": "Blocks of the compressed audio are damaged: {} were converted as silence.",
    "damaged_samples": (
        "Frames of the compressed audio are damaged or cut off: {} were left out, or are a guess of the decoder."
    ),
    "absent_samples": "The MP3 inside the WAV has fewer frames than its Xing header says: {} are missing.",
    "fact_samples": "The fact chunk says {}, but the audio has {audio}. All of it was converted.",
}


@dataclass(slots=True)
class Flaws:
    """Samples and blocks that are damaged. A sample here is one moment of all channels."""

    nan_samples: int = 0
    infinite_samples: int = 0
    silenced_samples: int = 0
    """Samples of damaged blocks that were replaced by silence."""
    decoder_errors: int = 0
    missing_samples: int = 0
    """Samples that the decoder lost, as far as their number is known."""
    contradicting_formats: int = 0
    """1 if the compressed audio has another rate or other channels than the header says, or changes them."""
    fact_samples: int = 0
    """The length in a `fact` chunk that contradicts the audio."""
    damaged_samples: int = 0
    """Samples of MPEG frames that are damaged, so that the decoder guesses their sound, or cut off."""
    stray_bytes: int = 0
    """Bytes of MPEG audio that belong to no frame."""
    absent_samples: int = 0
    """Samples of the frames that an MP3 lacks according to its Xing header."""

    def add(self, other: Mapping[str, int]) -> None:
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + other.get(field.name, 0))

    def read_messages(self, messages: str) -> None:
        """Read the errors and the formats in ffmpeg's messages.

        A decoder that can go on after an error reports no lost packet.
        """
        lost, crc = (
            sum(1 + int(repeated or 0) for repeated in kind.findall(messages))
            for kind in (_DECODER_ERROR, _CRC_ERROR)
        )
        self.decoder_errors = max(lost, crc) or len(_ANY_ERROR.findall(messages))
        formats = _FORMAT.findall(messages)
        differs = len(formats) == 2 and formats[0] != formats[1]
        self.contradicting_formats |= differs or _CHANGED in messages

    def compare_length(self, info: WavInfo, samples: int) -> None:
        """Compare the decoded length with the length that the blocks or the `fact` chunk give."""
        fact = info.fact_samples or 0
        by_blocks = info.fmt.estimate_samples(info.data_bytes) if info.fmt.block_samples else 0
        expected = min(fact, round(by_blocks or 0)) or fact or round(by_blocks or 0)
        if self.decoder_errors:
            self.missing_samples = max(0, expected - samples)
        tolerance = max(
            2 * (info.fmt.block_samples or 0), _MIN_CONTRADICTION_S * info.fmt.sample_rate_hz
        )
        if fact and abs(fact - samples) > tolerance + self.missing_samples:
            self.fact_samples = fact

    def counts(self) -> dict[str, int]:
        """Return the counts that are not 0."""
        return {name: count for name, count in asdict(self).items() if count}


def flaw_warnings(
    flaws: Iterable[Mapping[str, int] | None], rate_hz: int, samples: int
) -> list[str]:
    """Return the sentences about the flaws of all segments of a record, which has `samples` samples."""
    total = Flaws()
    for each in flaws:
        total.add(each or {})

    def length(count: int) -> str:
        return f"{count} sample(s) ({count / rate_hz:.3f} s)"

    warnings = [_CONTRADICTION] if total.contradicting_formats else []
    for name, sentence in _SENTENCES.items():
        if count := getattr(total, name):
            warnings.append(sentence.format(length(count), audio=length(samples)))
    if total.stray_bytes:
        warnings.append(_STRAY.format(total.stray_bytes))
    if total.decoder_errors:
        missing = f": about {length(total.missing_samples)} are missing"
        warnings.append(
            _DECODER_ERRORS.format(total.decoder_errors, missing if total.missing_samples else "")
        )
    return warnings
