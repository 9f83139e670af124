"""WAVs that a program changed as if they were text."""

import io

import numpy as np
import pytest

from shared.errors import BadWav
from shared.wav import WavInfo, read_wav
from tests import wavs

NOISE = np.random.default_rng(3).normal(0, 0.1, (30_000, 2))


def read(data: bytes, bits: int) -> WavInfo:
    fmt = wavs.chunk(b"fmt ", wavs.fmt_payload(channels=2, bits=bits))
    wav = wavs.wrap([fmt, wavs.chunk(b"data", data)])
    return read_wav(io.BytesIO(wav), len(wav))


@pytest.mark.parametrize("bits", [8, 16, 24, 32])
@pytest.mark.parametrize("sound", [NOISE, wavs.sine(30_000, 2)], ids=["noise", "tones"])
def test_samples_decoded_as_utf8_are_refused(sound: wavs.Samples, bits: int) -> None:
    raw = wavs.encode(sound, bits=bits)
    assert read(raw, bits).warnings == ()
    with pytest.raises(BadWav, match="read it as UTF-8 text"):
        read(raw.decode(errors="replace").encode(), bits)


@pytest.mark.parametrize("bits", [16, 24])
@pytest.mark.parametrize("sound", [NOISE, wavs.sine(30_000, 2)], ids=["noise", "tones"])
def test_samples_with_changed_line_ends_are_refused(sound: wavs.Samples, bits: int) -> None:
    raw = wavs.encode(sound, bits=bits)
    with pytest.raises(BadWav, match="changed its line ends"):
        read(raw.replace(b"\n", b"\r\n"), bits)


def test_a_level_that_looks_like_line_ends_is_sound() -> None:
    assert read(b"\r\n" * 30_000, 16).samples == 15_000
    assert read((b"\r\n" * 10 + b"\r\r" * 10) * 1000, 16).samples == 10_000


def test_a_tone_that_repeats_one_line_end_is_sound() -> None:
    period = b"\r\n" + bytes(range(13, 112)) + b"\r"
    assert read(period * 1000, 16).samples == len(period) * 250


@pytest.mark.parametrize("chunk_id", [b"bext", b"LIST"])
def test_a_replacement_character_in_text_is_allowed(chunk_id: bytes) -> None:
    text = b"INFOIART\x08\0\0\0" * (chunk_id == b"LIST") + "Bj\ufffdrk\0".encode()
    fmt = wavs.chunk(b"fmt ", wavs.fmt_payload())
    data = wavs.chunk(b"data", wavs.encode(wavs.sine(100)))
    wav = wavs.wrap([wavs.chunk(chunk_id, text), fmt, data])
    assert read_wav(io.BytesIO(wav), len(wav)).samples == 100


@pytest.mark.parametrize("rate_hz", [16000, 44100, 48000])
@pytest.mark.parametrize("frames", [100, 30_000])
def test_a_header_decoded_as_utf8_is_refused(rate_hz: int, frames: int) -> None:
    wav = wavs.build(wavs.sine(frames), sample_rate_hz=rate_hz).decode(errors="replace").encode()
    with pytest.raises(BadWav, match="read it as UTF-8 text"):
        read_wav(io.BytesIO(wav), len(wav))
