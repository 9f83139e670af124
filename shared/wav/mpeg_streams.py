"""MPEG audio in a WAV: what its own frames say.

In: the first bytes of the data, 16 KiB or so. Out: the first frame that another of its kind follows, or None, and
what surrounds the audio if that frame is a Xing/LAME header.
Sources: ISO/IEC 11172-3, 2.4.1.3 and 2.4.2.3; ISO/IEC 13818-3, 2.4.2.3; "Mp3 Info Tag rev 1".
"""

import re
from dataclasses import dataclass

_HEADER_BYTES = 4
_DECODER_DELAY_SAMPLES = 529
_KIND = 0xFFFE0C00  # sync, version, layer and sample rate: the same in all frames of a stream
_MONO = 3
# Name, flags, and by those the numbers of frames and of bytes, a table, a quality; then 21 bytes to the delay and the
# padding, which are 0 where the encoder was not LAME.
_XING = re.compile(rb"(?:Xing|Info)\0\0\0(.)", re.DOTALL)
_XING_FIELD_BYTES = (4, 4, 100, 4)

# By the header's version field. 0 is MPEG-2.5, 1 is reserved.
_RATES_HZ = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
# By layer, of MPEG-1 and of the others; index 0 is free format, which no WAV was seen to hold.
_LOW_BITRATES_KBPS = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_BITRATES_KBPS = {
    (1, True): range(32, 449, 32),
    (2, True): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (3, True): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (1, False): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, False): _LOW_BITRATES_KBPS,
    (3, False): _LOW_BITRATES_KBPS,
}


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame's header; `size` is the whole frame's, in bytes; `samples` are of each channel."""

    bits: int
    size: int
    samples: int
    sample_rate_hz: int
    channels: int

    @property
    def side_info_bytes(self) -> int:
        """Of layer III."""
        stereo = self.channels == 2
        return (32 if stereo else 17) if self.bits >> 19 & 3 == 3 else (17 if stereo else 9)


def first_frame(start: bytes) -> tuple[int, Frame] | None:
    """Where the first frame stands, and what it is. The end of `start` may follow it as well as another frame."""
    at = start.find(0xFF)
    while at >= 0:
        frame = _frame_at(start, at)
        if frame and _is_followed(start, at, frame):
            return at, frame
        at = start.find(0xFF, at + 1)
    return None


def padding_samples(start: bytes, at: int, frame: Frame) -> tuple[int, int]:
    """What a decoder gives in front of the audio and behind it, as far as the frame at `at` says so.

    The frame itself comes out as silence.
    """
    crc_bytes = 0 if frame.bits >> 16 & 1 else 2
    xing = _XING.match(start, at + _HEADER_BYTES + crc_bytes + frame.side_info_bytes)
    if xing is None:
        return 0, 0
    flags = xing[1][0]
    named_at = xing.end() + sum(
        size for bit, size in enumerate(_XING_FIELD_BYTES) if flags >> bit & 1
    )
    delay, padding = divmod(int.from_bytes(start[named_at + 21 : named_at + 24]), 1 << 12)
    front = frame.samples + delay + _DECODER_DELAY_SAMPLES
    return front, max(0, padding - _DECODER_DELAY_SAMPLES)


def _is_followed(start: bytes, at: int, frame: Frame) -> bool:
    following = _frame_at(start, at + frame.size)
    if following is None:
        return at + frame.size == len(start)
    return (following.bits ^ frame.bits) & _KIND == 0


def _frame_at(data: bytes, at: int) -> Frame | None:
    bits = int.from_bytes(data[at : at + _HEADER_BYTES])
    version, layer, rate_index = bits >> 19 & 3, 4 - (bits >> 17 & 3), bits >> 10 & 3
    bitrate_index, padding = bits >> 12 & 15, bits >> 9 & 1
    is_header = bits >> 21 == 0x7FF and version != 1 and layer != 4
    if not is_header or rate_index == 3 or bitrate_index in (0, 15):
        return None
    rate_hz = _RATES_HZ[version][rate_index]
    bit_rate = 1000 * _BITRATES_KBPS[layer, version == 3][bitrate_index - 1]
    slot_bytes = 4 if layer == 1 else 1
    samples = 384 if layer == 1 else 576 if layer == 3 and version != 3 else 1152
    size = (samples * bit_rate // (8 * slot_bytes * rate_hz) + padding) * slot_bytes
    return Frame(bits, size, samples, rate_hz, 1 if bits >> 6 & 3 == _MONO else 2)
