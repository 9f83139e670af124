"""ADPCM whose block align or bits are wrong, but whose samples per block tell the right ones."""

import io
import struct

import numpy as np
import pytest
import soundfile

from shared.errors import BadWav
from shared.wav import WavInfo, read_wav
from tests import wavs

BLOCK_ALIGN_AT, BITS_AT, BLOCK_SAMPLES_AT, COEFFICIENTS_AT = 12, 14, 18, 22


def adpcm(subtype: str, channels: int, level: float | None = None, **fields: int) -> bytes:
    """Return a WAV of tones, or of one level."""
    file = io.BytesIO()
    sound = wavs.sine(30_000, channels) if level is None else np.full(30_000, float(level))
    soundfile.write(file, sound, 22050, format="WAV", subtype=subtype)
    wav = bytearray(file.getvalue())
    fmt_at = wav.index(b"fmt ") + 8
    for name, value in fields.items():
        at = fmt_at + {"align": BLOCK_ALIGN_AT, "bits": BITS_AT, "samples": BLOCK_SAMPLES_AT}[name]
        wav[at : at + 2] = struct.pack("<H", value)
    return bytes(wav)


def read(wav: bytes) -> WavInfo:
    return read_wav(io.BytesIO(wav), len(wav))


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("subtype", ["IMA_ADPCM", "MS_ADPCM"])
@pytest.mark.parametrize("align", [1, 4, 128, 300, 4096])
def test_samples_per_block_correct_the_align(subtype: str, channels: int, align: int) -> None:
    right = read(adpcm(subtype, channels))
    info = read(adpcm(subtype, channels, align=align))
    assert info.fmt.block_align == right.fmt.block_align
    assert info.fmt.payload[BLOCK_ALIGN_AT:] == right.fmt.payload[BLOCK_ALIGN_AT:]
    (warning,) = info.warnings
    assert warning.startswith(f"The header says blocks of {align} bytes")


@pytest.mark.parametrize("subtype", ["IMA_ADPCM", "MS_ADPCM"])
@pytest.mark.parametrize("samples", [0, 1, 100, 60_000])
def test_wrong_samples_per_block_change_nothing(subtype: str, samples: int) -> None:
    right = read(adpcm(subtype, 2))
    info = read(adpcm(subtype, 2, samples=samples))
    assert (info.fmt.block_align, info.warnings) == (right.fmt.block_align, ())


@pytest.mark.parametrize("level", [0, 0.3])
@pytest.mark.parametrize(("subtype", "samples"), [("IMA_ADPCM", 505), ("MS_ADPCM", 500)])
def test_constant_levels_keep_the_declared_align(subtype: str, samples: int, level: float) -> None:
    right = read(adpcm(subtype, 1, level))
    info = read(adpcm(subtype, 1, level, samples=samples))
    assert (info.fmt.block_align, info.warnings) == (right.fmt.block_align, ())


@pytest.mark.parametrize("subtype", ["IMA_ADPCM", "MS_ADPCM"])
def test_16_bits_are_those_of_the_decoded_samples(subtype: str) -> None:
    info = read(adpcm(subtype, 1, bits=16))
    assert (info.fmt.bits_per_sample, info.fmt.payload[BITS_AT]) == (4, 4)


@pytest.mark.parametrize("subtype", ["IMA_ADPCM", "MS_ADPCM"])
@pytest.mark.parametrize("fields", [{"bits": 16, "samples": 0}, {"align": 2, "samples": 3}])
def test_contradictions_without_an_answer_are_refused(subtype: str, fields: dict[str, int]) -> None:
    with pytest.raises(BadWav, match="contradicts itself"):
        read(adpcm(subtype, 1, **fields))


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(("bits", "samples"), [(2, 993), (5, 385), (3, 641)])
def test_ima_of_other_bits_is_read(bits: int, samples: int, channels: int) -> None:
    """Cool Edit writes them."""
    align = channels * (4 + (samples - 1) * bits // 8)
    info = read(adpcm("IMA_ADPCM", channels, bits=bits, samples=samples, align=align))
    assert (info.fmt.bits_per_sample, info.fmt.payload[BITS_AT]) == (bits, bits)
    assert (info.fmt.block_samples, info.fmt.block_align) == (samples, align)


def test_own_coefficients_are_warned_about() -> None:
    wav = bytearray(adpcm("MS_ADPCM", 1))
    at = wav.index(b"fmt ") + 8 + COEFFICIENTS_AT
    assert read(bytes(wav)).warnings == ()
    wav[at : at + 2] = struct.pack("<h", 300)
    assert "coefficients of its own" in read(bytes(wav)).warnings[0]
    wav[at : at + 28] = bytes(28)
    assert read(bytes(wav)).warnings == ()


@pytest.mark.parametrize("bits", [2, 3, 4, 5])
@pytest.mark.parametrize("byte_rate", [0, 1, 8000])
def test_the_bits_of_g726_correct_the_byte_rate(bits: int, byte_rate: int) -> None:
    """Decoders take the bits from the byte rate."""
    fmt = bytearray(
        wavs.fmt_payload(sample_rate_hz=8000, tag=0x45, bits=bits, block_align=1) + b"\0\0"
    )
    fmt[8:12] = struct.pack("<I", byte_rate)
    info = read(wavs.wrap([wavs.chunk(b"fmt ", bytes(fmt)), wavs.chunk(b"data", bytes(5000))]))
    assert struct.unpack_from("<I", info.fmt.payload, 8) == (1000 * bits,)
    assert info.warnings[0].startswith(f"The header says {byte_rate} bytes a second")
    assert info.duration_s == pytest.approx(5 / bits)
