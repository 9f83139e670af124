"""Measures a record's waveform while its samples are read for encoding.

The pixels of a record are on one grid that starts at its first sample. Each worker writes the pixels that its samples
touch, and the first and the last may be incomplete. Joining takes the lowest and the highest value of each pixel, which
is exact, so a waveform does not depend on the segments. Samples that several workers read, such as a run-in, change
nothing.
"""

import struct
from collections.abc import Generator, Iterable
from contextlib import closing

import numpy as np
import numpy.typing as npt

from shared.wav import WavInfo
from shared.waveform import Waveform
from worker.audio.pcm import PcmFormat

MAX_PIXELS = 2048
MIN_SAMPLES_PER_PIXEL = 2
MAX_COMPRESSED_BYTES_PER_S = 48_000  # 384 kbit/s

_FIRST_PIXEL = struct.Struct("<Q")

_Bytes = npt.NDArray[np.int8]
_Values = npt.NDArray[np.int8] | npt.NDArray[np.float32] | npt.NDArray[np.float64]


def _companded() -> dict[str, _Bytes]:
    """Return the top byte of each code of G.711."""
    codes = np.arange(256)
    mulaw, alaw = codes ^ 0xFF, codes ^ 0x55
    magnitude = ((mulaw & 15) * 8 + 132 << (mulaw >> 4 & 7)) - 132
    tables = {"mulaw": np.where(mulaw & 0x80, -magnitude, magnitude)}
    exponent, mantissa = alaw >> 4 & 7, (alaw & 15) * 16 + 8
    magnitude = np.where(exponent, mantissa + 256 << (exponent - 1).clip(0), mantissa)
    tables["alaw"] = np.where(alaw & 0x80, magnitude, -magnitude)
    return {name: (values >> 8).astype(np.int8) for name, values in tables.items()}


_COMPANDED = _companded()


def samples_per_pixel(info: WavInfo) -> int:
    """Return the step of the grid: a power of two. Without a known length, there may be more than MAX_PIXELS."""
    samples = info.samples or info.fmt.sample_rate_hz * (
        info.duration_s or info.data_bytes / MAX_COMPRESSED_BYTES_PER_S
    )
    step = MIN_SAMPLES_PER_PIXEL
    while samples > MAX_PIXELS * step:
        step *= 2
    return step


class Peaks:
    """The pixels of one segment."""

    def __init__(self, info: WavInfo) -> None:
        self._step = samples_per_pixel(info)
        self._full_scale = info.fmt.full_scale
        self._first_pixel = 0
        self._pixels = _Pixels()

    def measure(
        self, chunks: Generator[bytes], pcm_format: PcmFormat, start_sample: int
    ) -> Generator[bytes]:
        """Yield the chunks unchanged. The first one has the samples from `start_sample` of the record."""
        self._first_pixel = start_sample // self._step
        position, rest = start_sample, b""
        with closing(chunks):
            for chunk in chunks:
                # A decoder's chunks may end inside a sample.
                arrived = rest + chunk
                samples = len(arrived) // pcm_format.block_align
                end = samples * pcm_format.block_align
                if samples:
                    values = _comparable(arrived[:end], pcm_format.name)
                    self._add(values, position, pcm_format.channels)
                position, rest = position + samples, arrived[end:]
                yield chunk

    def _add(self, values: _Values, position: int, channels: int) -> None:
        pixel, skipped = divmod(position, self._step)
        starts = np.arange(-skipped, len(values) // channels, self._step).clip(0) * channels
        lowest = self._to_8_bits(np.minimum.reduceat(values, starts))
        highest = self._to_8_bits(np.maximum.reduceat(values, starts))
        self._pixels.widen(pixel - self._first_pixel, lowest, highest)

    def _to_8_bits(self, values: _Values) -> _Bytes:
        if values.dtype == np.int8:
            return values.astype(np.int8)
        scaled = 128 * (values / self._full_scale).clip(-1, 1)
        rounded: _Bytes = np.floor(scaled).clip(-128, 127).astype(np.int8)
        return rounded

    def to_bytes(self) -> bytes:
        return _FIRST_PIXEL.pack(self._first_pixel) + self._pixels.to_bytes()


class _Pixels:
    """The lowest and the highest value of each pixel so far, for as many pixels as needed."""

    def __init__(self) -> None:
        self._peaks = np.empty((0, 2), np.int8)
        self._count = 0

    def widen(self, first: int, lowest: _Bytes, highest: _Bytes) -> None:
        end = first + len(lowest)
        self._count = max(self._count, end)
        if missing := max(0, end - len(self._peaks)):
            empty = np.full((missing + len(self._peaks), 2), (127, -128), np.int8)
            self._peaks = np.concatenate((self._peaks, empty))
        changed = self._peaks[first:end]
        np.minimum(changed[:, 0], lowest, out=changed[:, 0])
        np.maximum(changed[:, 1], highest, out=changed[:, 1])

    def to_bytes(self) -> bytes:
        return self._peaks[: self._count].tobytes()


def _comparable(samples: bytes, name: str) -> _Values:
    """Return the samples of ffmpeg's format `name` as values whose order is that of the amplitudes.

    The top byte of an integer is enough, because rounding down to 8 bits keeps the order.
    """
    if name in _COMPANDED:
        return _COMPANDED[name][np.frombuffer(samples, np.uint8)]
    bits = int(name[1:3].rstrip("lb"))
    order = ">" if name.endswith("be") else "<"
    match name[0]:
        case "f":
            return np.frombuffer(samples, f"{order}f{bits // 8}")
        case "u":
            return (np.frombuffer(samples, np.uint8) ^ 0x80).view(np.int8)
    top = 0 if order == ">" else bits // 8 - 1
    return np.frombuffer(samples, np.int8)[top :: bits // 8]


def join_peaks(info: WavInfo, parts: Iterable[bytes]) -> Waveform:
    """Return the waveform of a record from the `Peaks.to_bytes` of its segments."""
    pixels = _Pixels()
    for part in parts:
        (first,) = _FIRST_PIXEL.unpack_from(part)
        peaks = np.frombuffer(part, np.int8, offset=_FIRST_PIXEL.size).reshape(-1, 2)
        pixels.widen(first, peaks[:, 0], peaks[:, 1])
    step, joined = samples_per_pixel(info), np.frombuffer(pixels.to_bytes(), np.int8).reshape(-1, 2)
    while len(joined) > MAX_PIXELS:
        starts = np.arange(0, len(joined), 2)
        lowest = np.minimum.reduceat(joined[:, 0], starts)
        highest = np.maximum.reduceat(joined[:, 1], starts)
        step, joined = 2 * step, np.stack((lowest, highest), axis=1)
    return Waveform(info.fmt.sample_rate_hz, step, joined.tobytes())
