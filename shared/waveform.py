"""Waveforms in the format of BBC audiowaveform, version 2: the lowest and highest sample of each pixel, in 8 bits.

All channels are drawn as one. https://github.com/bbc/audiowaveform/blob/master/doc/DataFormat.md
"""

import struct
from array import array
from dataclasses import dataclass
from typing import Any

_HEADER = struct.Struct("<iIiiIi")
_VERSION = 2
_HAS_8_BITS = 1
_CHANNELS = 1


@dataclass(frozen=True, slots=True)
class Waveform:
    sample_rate_hz: int
    samples_per_pixel: int
    peaks: bytes
    """The minimum and the maximum of each pixel, as signed bytes."""

    @property
    def pixels(self) -> int:
        return len(self.peaks) // 2

    def to_dat(self) -> bytes:
        rate, scale = self.sample_rate_hz, self.samples_per_pixel
        header = _HEADER.pack(_VERSION, _HAS_8_BITS, rate, scale, self.pixels, _CHANNELS)
        return header + self.peaks

    @classmethod
    def from_dat(cls, dat: bytes) -> "Waveform":
        _, _, rate, scale, _, _ = _HEADER.unpack_from(dat)
        return cls(rate, scale, dat[_HEADER.size :])

    def to_json(self) -> dict[str, Any]:
        return {
            "version": _VERSION,
            "channels": _CHANNELS,
            "sample_rate": self.sample_rate_hz,
            "samples_per_pixel": self.samples_per_pixel,
            "bits": 8,
            "length": self.pixels,
            "data": array("b", self.peaks).tolist(),
        }
