"""MPEG audio, layers I to III of MPEG-1, 2 and 2.5: the tables of the standards, and the header of a frame.

A frame is: header (4 bytes), CRC (2, optional), side info (layer III), main data. Bitrates are in kbit/s, delays in
samples of each channel. `parse_header` returns None for bytes that are not a header. Nothing raises.

Sources: ISO/IEC 11172-3, 2.4.1.3 and 2.4.2.3; ISO/IEC 13818-3, 2.4.2.3; LAME for MPEG-2.5, which no standard defines.
"""

from collections.abc import Sequence
from dataclasses import dataclass

HEADER_BYTES = 4
CRC_BYTES = 2
NO_CRC_BIT = 0x10000
BITRATE_AND_PADDING_BITS = 0xF200

ENCODER_DELAY_SAMPLES = 576
"""LAME writes this many samples before the source's first one."""
DECODER_DELAY_SAMPLES = 529
"""A layer III decoder adds this many more at the start."""

_MPEG1, _RESERVED_VERSION = 3, 1
_RESERVED_LAYER = 4
_RESERVED_RATE = 3
_FREE_FORMAT, _BAD_BITRATE = 0, 15
_MONO = 3
# The key is the header's version field: MPEG-1, MPEG-2, MPEG-2.5.
_RATES_HZ = {_MPEG1: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
SAMPLE_RATES_HZ = tuple(sorted(rate for rates in _RATES_HZ.values() for rate in rates))

_MPEG2_BITRATES_KBPS = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
# The key is the version and the layer.
_BITRATES_KBPS: dict[tuple[int, int], Sequence[int]] = {
    (1, 1): range(32, 449, 32),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): _MPEG2_BITRATES_KBPS,
    (2, 3): _MPEG2_BITRATES_KBPS,
}


@dataclass(frozen=True, slots=True)
class FrameFormat:
    """The properties that all frames of a stream share."""

    sample_rate_hz: int
    channels: int
    layer: int = 3

    @property
    def version(self) -> int:
        """1 for MPEG-1; 2 for MPEG-2 and MPEG-2.5, which differ only in the sample rate."""
        return 1 if self.sample_rate_hz >= 32000 else 2

    @property
    def samples_per_frame(self) -> int:
        if self.layer == 1:
            return 384
        return 576 if (self.version, self.layer) == (2, 3) else 1152

    @property
    def side_info_bytes(self) -> int:
        """Bytes of layer III's side info."""
        return {(1, 1): 17, (1, 2): 32, (2, 1): 9, (2, 2): 17}[self.version, self.channels]

    @property
    def main_data_begin_bits(self) -> int:
        """The width of `main_data_begin`, the first field of layer III's side info."""
        return 9 if self.version == 1 else 8

    @property
    def part2_3_length_shifts(self) -> Sequence[int]:
        """The places of each `part2_3_length` (12 bits) in layer III's side info, counted from its last bit.

        The side info ends in a block per granule and channel, which starts with this length.
        """
        block_bits = 59 if self.version == 1 else 63
        blocks = 2 * self.channels // self.version
        return [block_bits * (block + 1) - 12 for block in range(blocks)]

    @property
    def bitrates_kbps(self) -> Sequence[int]:
        """The bitrates of the header's bitrate indices 1 to 14."""
        return _BITRATES_KBPS[self.version, self.layer]

    def frame_bytes(self, bitrate_kbps: int, padding: int) -> int:
        """Return the size of a whole frame; `padding` is the header's padding bit."""
        unit_bytes = 4 if self.layer == 1 else 1
        bytes_per_s = 125 * bitrate_kbps
        units = self.samples_per_frame * bytes_per_s // (unit_bytes * self.sample_rate_hz)
        return (units + padding) * unit_bytes


@dataclass(frozen=True, slots=True)
class MpegHeader:
    """The header of one frame."""

    format: FrameFormat
    bitrate_kbps: int
    padding: int
    has_crc: bool

    @property
    def frame_bytes(self) -> int:
        return self.format.frame_bytes(self.bitrate_kbps, self.padding)


def parse_header(data: bytes) -> MpegHeader | None:
    """Read the header at the start of `data`. Return None for free format too: its header does not give the size."""
    bits = int.from_bytes(data[:HEADER_BYTES])
    version_field, layer, rate_index = bits >> 19 & 3, 4 - (bits >> 17 & 3), bits >> 10 & 3
    bitrate_index = bits >> 12 & 15
    if bits >> 21 != 0x7FF or version_field == _RESERVED_VERSION or layer == _RESERVED_LAYER:
        return None
    if rate_index == _RESERVED_RATE or bitrate_index in (_FREE_FORMAT, _BAD_BITRATE):
        return None
    channels = 1 if bits >> 6 & 3 == _MONO else 2
    frame_format = FrameFormat(_RATES_HZ[version_field][rate_index], channels, layer)
    bitrate_kbps = frame_format.bitrates_kbps[bitrate_index - 1]
    return MpegHeader(frame_format, bitrate_kbps, bits >> 9 & 1, not bits & NO_CRC_BIT)
