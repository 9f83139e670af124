import io
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import BinaryIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.segmentation import SampleRange
from shared.wav import Codec, WavInfo, read_wav
from tests import wavs
from worker.audio import pcm

MPEG_1_LAYER_3 = b"\x01\x00\x02\x00\x00\x00\x80\x04\x01\x00\x71\x05"


def read(wav: bytes, start: int = 0, samples: int | None = None) -> tuple[bytes, pcm.PcmFormat]:
    info = info_of(wav)
    assert info.samples is not None
    sample_range = SampleRange(start, info.samples - start if samples is None else samples)
    with opened(wav) as file:
        return b"".join(pcm.read_samples(file, info, sample_range)), pcm.raw_format(info)


def info_of(wav: bytes) -> WavInfo:
    return read_wav(io.BytesIO(wav), len(wav))


@contextmanager
def opened(wav: bytes) -> Iterator[BinaryIO]:
    with tempfile.TemporaryFile() as file:
        file.write(wav)
        file.flush()
        yield file


@pytest.mark.parametrize(
    ("bits", "container", "name"),
    [
        *[(8, "RIFF", "u8"), (8, "RIFX", "u8"), (16, "RIFF", "s16le"), (16, "RIFX", "s16be")],
        *[(24, "W64", "s24le"), (24, "RIFX", "s24be"), (32, "BW64", "s32le")],
        (32, "RIFX", "s32be"),
    ],
)
def test_integers_are_read_unchanged(bits: int, container: str, name: str) -> None:
    samples = wavs.sine(1000, 3)
    data, pcm_format = read(wavs.build(samples, bits=bits, container=container))
    assert (pcm_format.name, pcm_format.block_align) == (name, 3 * bits // 8)
    assert data == wavs.encode(samples, bits=bits, big_endian=container == "RIFX")


@pytest.mark.parametrize(
    ("bits", "container"), [(32, "RIFF"), (32, "RIFX"), (64, "RIFF"), (64, "RIFX")]
)
def test_floats_are_read_unchanged(bits: int, container: str) -> None:
    samples = 3e38 * wavs.sine(1000, 2)
    samples[7] = np.inf
    data, pcm_format = read(wavs.build(samples, codec="float", bits=bits, container=container))
    big_endian = container == "RIFX"
    assert pcm_format.name == f"f{bits}{'be' if big_endian else 'le'}"
    assert data == wavs.encode(samples, codec="float", bits=bits, big_endian=big_endian)


@pytest.mark.parametrize(
    ("bits", "container"), [(32, "RIFF"), (32, "RIFX"), (64, "RIFF"), (64, "RIFX")]
)
def test_nan_becomes_silence(bits: int, container: str) -> None:
    samples = wavs.sine(100_000, 2)
    holes = samples.copy()
    holes[::777, 1] = np.nan
    holes[5:9] = -np.nan
    data, _ = read(wavs.build(holes, codec="float", bits=bits, container=container))
    holes[np.isnan(holes)] = 0
    assert data == wavs.encode(holes, codec="float", bits=bits, big_endian=container == "RIFX")


@pytest.mark.parametrize("bits", [40, 48, 56, 64])
@pytest.mark.parametrize(("container", "name"), [("RIFF", "s32le"), ("RIFX", "s32be")])
def test_wider_integers_keep_their_upper_32_bits(container: str, name: str, bits: int) -> None:
    samples = wavs.sine(60_000, 2)
    data, pcm_format = read(wavs.build(samples, bits=bits, container=container))
    got = wavs.decode(data, channels=2, bits=32, big_endian=container == "RIFX")
    assert pcm_format.name == name
    assert np.abs(got - samples).max() <= 2.0**-31


@pytest.mark.parametrize("codec", ["alaw", "mulaw"])
def test_companded_samples_are_read_unchanged(codec: str) -> None:
    samples = wavs.sine(1000)
    data, pcm_format = read(wavs.build(samples, codec=codec, bits=8))
    assert (pcm_format.name, pcm_format.sample_bytes) == (codec, 1)
    assert data == wavs.encode(samples, codec=codec)


LONG_SAMPLES = 100_000
"""Several chunks."""
LONG_24_BIT = wavs.build(wavs.sine(LONG_SAMPLES, 3), bits=24)


@given(start=st.integers(0, LONG_SAMPLES), end=st.integers(0, LONG_SAMPLES))
def test_a_range_has_exactly_its_samples(start: int, end: int) -> None:
    data, pcm_format = read(LONG_24_BIT, start, max(0, end - start))
    assert data == LONG_24_BIT[44:][start * pcm_format.block_align : end * pcm_format.block_align]


@pytest.mark.parametrize("name", ["u8", "s16be", "f64le", "alaw", "mulaw"])
def test_silence_decodes_to_zero(name: str) -> None:
    codec = {"u": "pcm", "s": "pcm", "f": "float"}.get(name[0], name)
    codec = name if name.endswith("law") else codec
    bits = {"u8": 8, "s16be": 16, "f64le": 64}.get(name, 8)
    silence = pcm.PcmFormat(name, bits // 8, 2, 44100).silence(10)
    decoded = wavs.decode(silence, channels=2, codec=codec, bits=bits)
    assert decoded.shape == (10, 2)
    assert np.abs(decoded).max() < 0.001


def test_only_format_and_data_reach_the_decoder() -> None:
    data = bytes(range(256)) * 3000
    fmt = wavs.fmt_payload(tag=0x55, bits=0, block_align=1) + struct.pack("<H", 12) + MPEG_1_LAYER_3
    secret = wavs.chunk(b"LIST", b"INFOISFT....secret")
    wav = wavs.wrap([secret, wavs.chunk(b"fmt ", fmt), wavs.chunk(b"data", data), secret])
    info = info_of(wav)
    assert info.fmt.codec is Codec.MP3
    with opened(wav) as file:
        decoder_input = b"".join(pcm.compressed_file(file, info))
    assert b"secret" not in decoder_input
    assert decoder_input.endswith(b"data\xff\xff\xff\xff" + data)
    again = info_of(decoder_input)
    assert replace(again, data=info.data, chunks=info.chunks) == info
