"""Wrong block aligns: channels and bits win over them, and the samples decide where those may be wrong."""

import io
import struct

import numpy as np
import pytest

from shared.wav import Codec, WavInfo, read_wav
from tests import wavs


def read(wav: bytes) -> WavInfo:
    return read_wav(io.BytesIO(wav), len(wav))


def with_align(
    samples: wavs.Samples, block_align: int, *, bits: int = 16, codec: str = "pcm"
) -> bytes:
    fmt = wavs.fmt_payload(
        channels=samples.shape[1], bits=bits, codec=codec, block_align=block_align
    )
    data = wavs.encode(samples, bits=bits, codec=codec)
    return wavs.wrap([wavs.chunk(b"fmt ", fmt), wavs.chunk(b"data", data)])


@pytest.mark.parametrize("channels", [1, 2, 3, 6, 8])
@pytest.mark.parametrize(
    ("codec", "bits"),
    [*(("pcm", bits) for bits in wavs.PCM_BITS), ("float", 32), ("float", 64)],
)
@pytest.mark.parametrize("declared", [1, 2, 4, 5, 8, 16, 999])
def test_a_wrong_block_align_is_corrected(
    codec: str, bits: int, channels: int, declared: int
) -> None:
    right = channels * bits // 8
    declared += declared == right
    is_padded = (bits, declared) == (24, 4 * channels)
    if is_padded:
        pytest.skip("24 bits in 4 bytes are valid")
    info = read(with_align(wavs.sine(500, channels), declared, bits=bits, codec=codec))
    assert (info.samples, info.fmt.block_align, info.fmt.channels) == (500, right, channels)
    assert info.warnings == (
        f"The header says blocks of {declared} bytes, but {right} bytes belong to {channels} channel(s) "
        f"of {bits} bits. The audio was read in blocks of {right} bytes.",
    )


@pytest.mark.parametrize("declared", [0, 2])
def test_a_valid_block_align_has_no_warning(declared: int) -> None:
    assert read(with_align(wavs.sine(500), declared)).warnings == ()


def test_mono_declared_as_stereo_is_detected() -> None:
    fmt = wavs.fmt_payload(channels=2, block_align=2)
    data = wavs.encode(wavs.sine(5000))
    info = read(wavs.wrap([wavs.chunk(b"fmt ", fmt), wavs.chunk(b"data", data)]))
    assert (info.fmt.channels, info.samples, len(info.warnings)) == (1, 5000, 1)
    assert "converted as mono" in info.warnings[0]


@pytest.mark.parametrize("same", [False, True])
def test_stereo_with_the_align_of_mono_stays_stereo(*, same: bool) -> None:
    samples = np.repeat(wavs.sine(5000), 2, axis=1) if same else wavs.sine(5000, 2)
    info = read(with_align(samples, 2))
    assert (info.fmt.channels, info.samples) == (2, 5000)


def padded_24(values: wavs.Samples) -> bytes:
    payload = wavs.fmt_payload(bits=24, block_align=4)
    return wavs.wrap(
        [wavs.chunk(b"fmt ", payload), wavs.chunk(b"data", values.astype("<i4").tobytes())]
    )


TONE_24 = np.rint(wavs.sine(30_000)[:, 0] * (2**23 - 1)).astype(np.int64)


@pytest.mark.parametrize("silent", [0, 20_000])
@pytest.mark.parametrize("masked", [False, True])
def test_24_bits_in_the_lower_bytes_are_found(silent: int, *, masked: bool) -> None:
    samples = np.concatenate([np.zeros(silent, np.int64), TONE_24])
    info = read(padded_24(samples & 0xFFFFFF if masked else samples))
    assert (info.fmt.low_24_bits, info.samples) == (True, silent + 30_000)
    assert info.warnings == (
        "The samples have 24 bits in the lower three of four bytes. Only these three were read.",
    )


def test_24_bits_in_the_upper_bytes_have_no_warning() -> None:
    info = read(padded_24(TONE_24 << 8))
    assert (info.fmt.low_24_bits, info.fmt.bits_per_sample, info.warnings) == (False, 32, ())


def test_quiet_24_bits_stay_in_upper_bytes() -> None:
    info = read(padded_24(TONE_24 >> 16 << 8))
    assert (info.fmt.low_24_bits, info.warnings) == (False, ())


def test_valid_bits_in_the_lower_bytes_are_found() -> None:
    fmt = wavs.fmt_payload(bits=32, valid_bits=24)
    data = TONE_24.astype("<i4").tobytes()
    info = read(wavs.wrap([wavs.chunk(b"fmt ", fmt), wavs.chunk(b"data", data)]))
    assert info.fmt.low_24_bits
    assert len(info.warnings) == 1


def test_32_bits_without_the_upper_byte_are_reported() -> None:
    fmt = wavs.fmt_payload(bits=32)
    data = TONE_24.astype("<i4").tobytes()
    info = read(wavs.wrap([wavs.chunk(b"fmt ", fmt), wavs.chunk(b"data", data)]))
    assert (info.fmt.low_24_bits, info.samples) == (False, 30_000)
    assert "48 dB below full scale" in info.warnings[0]


def test_32_bits_that_fade_in_have_no_warning() -> None:
    fade = (TONE_24 << 8) * np.linspace(0, 1, 30_000) ** 8
    fmt = wavs.fmt_payload(bits=32)
    data = fade.astype("<i4").tobytes()
    info = read(wavs.wrap([wavs.chunk(b"fmt ", fmt), wavs.chunk(b"data", data)]))
    assert info.warnings == ()


@pytest.mark.parametrize("channels", [1, 2])
def test_packed_24_bits_are_detected(channels: int) -> None:
    samples = wavs.sine(5000, channels)
    info = read(with_align(samples, 4 * channels, bits=24))
    assert (info.fmt.bits_per_sample, info.samples, len(info.warnings)) == (24, 5000, 1)
    assert info.fmt.codec is Codec.PCM


def test_the_declared_align_stays_in_the_payload() -> None:
    info = read(with_align(wavs.sine(500), 4))
    assert struct.unpack_from("<H", info.fmt.payload, 12) == (4,)
