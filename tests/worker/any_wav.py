"""WAVs that hypothesis generates, with sound whose channels, level and position can be checked in the MP3.

Every container, sample format, rate and number of channels, with chunks in any order and the mistakes of real writers.
Nothing here uses the code under test. The expected mix follows ITU-R BS.775, as the service promises.
"""

from dataclasses import dataclass, field

import numpy as np
from hypothesis import strategies as st

from tests import wavs
from tests.wavs import Piece
from tests.worker.conversion import Voices, sweep_for

MP3_RATES_HZ = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
OTHER_RATES_HZ = (1000, 6000, 11000, 18900, 37800, 44056, 47250, 64000, 88200, 96000, 192000)

# The gains of a speaker to the left and right. Lower case: 3 dB less. C: to both sides. X: left out.
_GAINS = {
    "L": (1.0, 0.0),
    "R": (0.0, 1.0),
    "C": (0.5**0.5, 0.5**0.5),
    "X": (0.0, 0.0),
    "l": (0.5**0.5, 0.0),
    "r": (0.0, 0.5**0.5),
    "c": (0.5, 0.5),
}
_BY_MASK_BIT = "LRCXlrLRclrclcrlcr"


@dataclass(frozen=True)
class SampleFormat:
    """A sample format. Integers have `valid_bits`, left-justified in `bits`; `codec` names the others."""

    codec: str
    bits: int
    valid_bits: int

    def __str__(self) -> str:
        return f"{self.codec} {self.valid_bits}/{self.bits}"

    @property
    def is_narrow(self) -> bool:
        return self.valid_bits < self.bits


SAMPLE_FORMATS = [
    *[SampleFormat("pcm", bits, bits) for bits in wavs.PCM_BITS],
    *[SampleFormat("float", bits, bits) for bits in wavs.FLOAT_BITS],
    *[SampleFormat("alaw", 8, 8), SampleFormat("mulaw", 8, 8)],
    *[SampleFormat("pcm", 8, 7), SampleFormat("pcm", 16, 12), SampleFormat("pcm", 24, 20)],
    *[SampleFormat("pcm", 32, 18), SampleFormat("pcm", 32, 24), SampleFormat("pcm", 64, 60)],
]


@dataclass(frozen=True)
class Melody:
    """A sweep in each channel, faded in and out, because resamplers and encoders smear a sudden edge."""

    channels: int
    rate_hz: int
    samples: int

    def at(self, rate_hz: int, samples: int) -> Voices:
        """Return the melody as sampled at another rate."""
        tone = sweep_for(self.samples, self.channels, self.rate_hz).at(rate_hz, samples)
        seconds = np.arange(samples)[:, None] / rate_hz
        end_s = (self.samples - 1) / self.rate_hz
        fade_s = max(0.004, 16 / self.rate_hz)
        return 1.6 * tone * np.clip(np.minimum(seconds, end_s - seconds) / fade_s, 0, 1)


@dataclass(frozen=True)
class AnyWav:
    """A WAV and the sound that is expected of its MP3."""

    wav: bytes = field(repr=False)
    sample_format: SampleFormat
    melody: Melody
    mask: int
    container: str
    layout: list[str]
    """The chunks in their order, and their peculiarities."""

    def heard_at(self, rate_hz: int) -> Voices:
        """Return the expected one or two channels of the MP3, at its rate."""
        melody = self.melody
        voices = melody.at(rate_hz, -(-melody.samples * rate_hz // melody.rate_hz))
        if melody.channels <= 2:
            return voices
        gains = np.array([_GAINS[speaker] for speaker in self._speakers()])
        return np.asarray(voices @ gains / gains.sum(axis=0).max())

    def _speakers(self) -> str:
        channels = self.melody.channels
        bits = enumerate(_BY_MASK_BIT)
        named = "".join(speaker for bit, speaker in bits if self.mask >> bit & 1)
        return named[:channels].ljust(channels, "C")


_KNOWN_IDS = [b"LIST", b"bext", b"iXML", b"id3 ", b"cue ", b"JUNK", b"fact", b"smpl", b"PEAK"]
_PIECES = st.lists(
    st.tuples(st.sampled_from([*_KNOWN_IDS, b"abcd", b"Xy 1"]), st.binary(max_size=301)), max_size=5
)
_RATES = st.sampled_from([*MP3_RATES_HZ, *MP3_RATES_HZ, *OTHER_RATES_HZ]) | st.integers(
    1000, 768_000
)


@st.composite
def any_wavs(draw: st.DrawFn, container: str, sample_format: SampleFormat) -> AnyWav:
    rate_hz = draw(_RATES)
    long = st.integers(rate_hz // 5, rate_hz * 7 // 10)
    melody = Melody(draw(st.integers(1, 8)), rate_hz, draw(long | st.integers(1, 2000)))
    mask = draw(st.none() | st.sampled_from([0, 0x3F, 0x63F]) | st.integers(0, 2**18 - 1))
    is_extensible = mask is not None
    big_endian = container == "RIFX"
    raw = wavs.encode(
        melody.at(rate_hz, melody.samples),
        codec=sample_format.codec,
        bits=sample_format.bits,
        valid_bits=sample_format.valid_bits,
        big_endian=big_endian,
    )
    fmt = wavs.fmt_payload(
        channels=melody.channels,
        sample_rate_hz=rate_hz,
        codec=sample_format.codec,
        bits=sample_format.bits if is_extensible else sample_format.valid_bits,
        valid_bits=sample_format.valid_bits if is_extensible else None,
        channel_mask=mask,
        block_align=melody.channels * sample_format.bits // 8,
        fmt_bytes=draw(st.sampled_from(_fmt_sizes(sample_format, is_extensible=is_extensible))),
        big_endian=big_endian,
    )
    layout, wav = _arrange(draw, container, (b"fmt ", fmt), (b"data", raw))
    return AnyWav(wav, sample_format, melody, mask or 0, container, layout)


def _fmt_sizes(sample_format: SampleFormat, *, is_extensible: bool) -> list[int]:
    if is_extensible:
        return [40, 48]
    # 14 bytes have no field for the width, so all bits are valid.
    return [16, 18, 20, 40] if sample_format.is_narrow else [14, 16, 18, 20, 40]


def _arrange(draw: st.DrawFn, container: str, fmt: Piece, data: Piece) -> tuple[list[str], bytes]:
    """Build the file, with other chunks around, padding or none, and the sizes that streaming writers leave."""
    pieces = draw(_PIECES)
    pad = draw(st.booleans())
    if not pad:  # a missing pad byte is only noticed before a known name
        pieces = [piece for piece in pieces if piece[0] in _KNOWN_IDS]
    pieces.insert(draw(st.integers(0, len(pieces))), fmt)
    # One byte of data without a size looks like an empty chunk with its pad byte.
    streaming = len(data[1]) > 1 and draw(st.booleans())
    pieces.insert(len(pieces) if streaming else draw(st.integers(0, len(pieces))), data)
    is_long = container in ("RF64", "BW64")
    unknown = draw(st.sampled_from([0, wavs.STREAMING])) if streaming else None
    declared = wavs.STREAMING if is_long and unknown is None else unknown
    chunks = [
        wavs.chunk(*piece, container=container, pad=pad, declared=declared)
        if piece is data
        else wavs.chunk(*piece, container=container, pad=pad)
        for piece in pieces
    ]
    if streaming:
        chunks[-1] = chunks[-1][: len(chunks[-1]) - _pad_bytes(container, data, pad=pad)]
    if is_long:  # streaming writers leave the size table empty
        chunks.insert(0, wavs.ds64(0 if streaming else len(data[1])))
    prefix = draw(st.sampled_from([b"", b"", b"", b"ID3\x04\0\0\0\0\0\x15" + bytes(21)]))
    trailing = b"" if streaming else draw(st.binary(max_size=7))
    layout = [f"{chunk_id.decode()}:{len(payload)}" for chunk_id, payload in pieces]
    layout += [f"{pad=}", f"{declared=}", f"prefix={len(prefix)}", f"{trailing=}"]
    return layout, prefix + wavs.wrap(chunks, container=container) + trailing


def _pad_bytes(container: str, data: Piece, *, pad: bool) -> int:
    return -len(data[1]) % (8 if container == "W64" else 2) if pad else 0
