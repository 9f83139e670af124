"""The whole reader, with libsndfile, generated files, noise, growing files and a collection of real files."""

import io
import json
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import BadWav, NotAWav
from shared.wav import Codec, WavInfo, check_start, read_wav
from shared.wav.container import MAGIC_BYTES
from tests import wavs

_BESIDE_THE_PROJECT = Path(__file__).parents[4] / "shared" / "wavs"
COLLECTION = Path(os.environ.get("WAVS_DIR", _BESIDE_THE_PROJECT))
EXPECTED = json.loads((COLLECTION / "wavs.json").read_text()) if COLLECTION.is_dir() else []

RAW_FORMATS = [("pcm", bits) for bits in wavs.PCM_BITS]
RAW_FORMATS += [("float", bits) for bits in wavs.FLOAT_BITS] + [("alaw", 8), ("mulaw", 8)]


class CountingFile(io.BytesIO):
    """Counts the bytes that are read."""

    read_bytes = 0

    def read(self, size: int | None = -1) -> bytes:
        found = super().read(size)
        self.read_bytes += len(found)
        return found


def read(wav: bytes) -> WavInfo:
    return read_wav(io.BytesIO(wav), len(wav))


def samples_of(wav: bytes, info: WavInfo) -> np.ndarray[Any, np.dtype[np.float64]]:
    return wavs.decode(
        wav[info.data_offset : info.data_offset + info.data_bytes],
        channels=info.fmt.channels,
        codec=info.fmt.codec,
        bits=info.fmt.bits_per_sample,
        big_endian=info.big_endian,
    )


@pytest.mark.parametrize("container", wavs.CONTAINERS)
@pytest.mark.parametrize(("codec", "bits"), RAW_FORMATS)
def test_every_width_is_read(container: str, codec: str, bits: int) -> None:
    samples = wavs.sine(777, 3)
    wav = wavs.build(samples, container=container, codec=codec, bits=bits, sample_rate_hz=48000)
    info = read(wav)
    assert (info.container, info.fmt.codec, info.fmt.channels) == (container, codec, 3)
    assert (info.fmt.sample_rate_hz, info.fmt.bits_per_sample, info.samples) == (48000, bits, 777)
    assert (info.fmt.is_raw, info.duration_s, info.warnings) == (True, 777 / 48000, ())
    tolerance = 0.04 if codec in ("alaw", "mulaw") else 2.0 ** (1 - min(bits, 24))
    np.testing.assert_allclose(samples_of(wav, info), samples, atol=tolerance)


@pytest.mark.parametrize(
    ("container", "endian", "magic"),
    [
        ("WAV", "LITTLE", b"RIFF"),
        ("WAV", "BIG", b"RIFX"),
        ("WAVEX", "LITTLE", b"RIFF"),
        ("RF64", "LITTLE", b"RF64"),
        ("W64", "LITTLE", b"riff"),
    ],
)
@pytest.mark.parametrize(
    "subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ALAW", "ULAW"]
)
def test_files_of_libsndfile_are_read_alike(
    container: str, endian: str, magic: bytes, subtype: str
) -> None:
    file = io.BytesIO()
    soundfile.write(
        file, wavs.sine(501, 2), 32000, format=container, subtype=subtype, endian=endian
    )
    wav = file.getvalue()
    assert wav[:4] == magic
    info = read(wav)
    theirs, rate_hz = soundfile.read(io.BytesIO(wav), always_2d=True)
    assert (info.fmt.sample_rate_hz, info.samples, info.fmt.channels) == (rate_hz, *theirs.shape)
    np.testing.assert_array_equal(samples_of(wav, info), theirs)


@pytest.mark.parametrize(
    ("container", "channel_mask"),
    [
        ("RIFF", None),
        ("RIFF", 3),
        ("RIFX", None),
        ("RIFX", 3),
        ("RF64", None),
        ("RF64", 3),
        ("W64", None),
    ],
)
@pytest.mark.parametrize(("codec", "bits"), [f for f in RAW_FORMATS if f != ("pcm", 64)])
def test_libsndfile_reads_the_built_files(
    container: str, channel_mask: int | None, codec: str, bits: int
) -> None:
    wav = wavs.build(
        wavs.sine(100, 2),
        container=container,
        codec=codec,
        bits=bits,
        channel_mask=channel_mask,
    )
    theirs, _ = soundfile.read(io.BytesIO(wav), always_2d=True)
    np.testing.assert_array_equal(samples_of(wav, read(wav)), theirs)


@pytest.mark.parametrize("subtype", ["IMA_ADPCM", "MS_ADPCM", "GSM610"])
@pytest.mark.parametrize("endian", ["LITTLE", "BIG"])
def test_compressed_audio_has_an_estimated_duration(subtype: str, endian: str) -> None:
    file, little = io.BytesIO(), io.BytesIO()
    for into, order in ((file, endian), (little, "LITTLE")):
        soundfile.write(into, wavs.sine(24000), 8000, format="WAV", subtype=subtype, endian=order)
    wav = file.getvalue()
    info = read(wav)
    assert (info.fmt.is_raw, info.samples) == (False, None)
    assert info.fmt.payload == read(little.getvalue()).fmt.payload
    frames = soundfile.info(io.BytesIO(wav)).frames
    assert info.duration_s == pytest.approx(frames / 8000, abs=0.07)


@given(wavs.arrangements())
@settings(max_examples=300, deadline=None)
def test_chunks_come_in_any_order(made: wavs.Arrangement) -> None:
    info = read(made.wav)
    assert (info.container, info.fmt.channels, info.fmt.bits_per_sample) == (
        made.container,
        made.channels,
        made.bits,
    )
    assert made.wav[info.data_offset : info.data_offset + info.data_bytes] == made.raw
    found = [(c.id, made.wav[c.offset : c.offset + c.size]) for c in info.chunks]
    assert found == made.metadata
    assert info.warnings == ()


@pytest.mark.slow
@given(wavs.arrangements())
@settings(max_examples=60, deadline=None)
def test_a_growing_file_is_accepted(made: wavs.Arrangement) -> None:
    file = io.BytesIO(made.wav)
    answers = [check_start(file, size) is not None for size in range(len(made.wav) + 1)]
    assert answers == sorted(answers)
    assert answers[-1]


def test_the_samples_of_a_growing_file_are_not_searched() -> None:
    file = CountingFile(wavs.build(wavs.sine(100_000)))
    assert check_start(file, 2**17)
    assert file.read_bytes < 2000


def test_a_growing_file_with_bad_fmt_is_refused() -> None:
    wav = wavs.build(wavs.sine(9000), sample_rate_hz=999_999, before=[(b"bext", bytes(600))])
    with pytest.raises(BadWav, match="999999 Hz"):
        check_start(io.BytesIO(wav), 36)
    assert not check_start(io.BytesIO(wav), 35)


def test_a_growing_flac_is_refused() -> None:
    flac = io.BytesIO()
    soundfile.write(flac, wavs.sine(9000), 44100, format="FLAC")
    assert not check_start(flac, 11)
    with pytest.raises(NotAWav, match="FLAC"):
        check_start(flac, 12)


def test_a_growing_file_without_data_is_refused() -> None:
    wav = wavs.wrap([wavs.chunk(b"abcd", b"")] * 20_000)
    with pytest.raises(BadWav, match="no data chunk"):
        check_start(io.BytesIO(wav), len(wav))


def mutated(wav: bytes, rng: random.Random) -> bytes:
    octets = bytearray(wav)
    for _ in range(rng.randint(1, 12)):
        octets[rng.randrange(len(octets))] = rng.choice(
            (0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256))
        )
    del octets[rng.randint(1, len(octets)) :]
    return bytes(octets)


@pytest.mark.parametrize("container", wavs.CONTAINERS)
def test_mutated_files_are_read_or_refused(container: str) -> None:
    rng = random.Random(20)
    wav = wavs.build(
        wavs.sine(10, 2), container=container, channel_mask=3, before=[(b"LIST", b"INFO" * 5)]
    )
    outcomes = set()
    for _ in range(4000):
        broken = mutated(wav, rng)
        try:
            info = read(broken)
            assert 0 < info.data_bytes <= len(broken) - info.data_offset
            assert (info.duration_s or 0) < 1
            check_start(io.BytesIO(broken), len(broken))
            outcomes.add("read")
        except (BadWav, NotAWav) as refusal:
            outcomes.add(type(refusal).__name__)
    assert outcomes == {"read", "BadWav", "NotAWav"}


@given(
    st.binary(max_size=400),
    st.sampled_from([b"", b"ID3\4\0\0\0\0\0\0", b"RIFF1234WAVE", b"RF64____WAVEds64"]),
)
@settings(max_examples=500, deadline=None)
def test_noise_is_refused_with_a_reason(noise: bytes, start: bytes) -> None:
    with pytest.raises((BadWav, NotAWav)) as refusal:
        read(start + noise)
    assert refusal.value.detail.endswith((".", ")."))


@pytest.mark.skipif(not EXPECTED, reason="the collection of real WAVs is not there")
@pytest.mark.parametrize("expected", EXPECTED, ids=lambda expected: expected["file"])
def test_real_files_are_read_or_refused(expected: dict[str, Any]) -> None:
    path = COLLECTION / expected["file"]
    with path.open("rb") as file:
        if expected["expected"] == "rejects":
            with pytest.raises((BadWav, NotAWav)):
                read_wav(file, path.stat().st_size)
            return
        info = read_wav(file, path.stat().st_size)
        assert check_start(file, info.data_offset + MAGIC_BYTES)
    assert (info.fmt.channels, info.fmt.sample_rate_hz) == (
        expected["channels_in"],
        expected["rate_in"],
    )
    if info.fmt.codec != Codec.MP3:  # an MP3's fmt does not give its length
        assert info.duration_s == pytest.approx(expected["duration_s"], abs=expected["tolerance_s"])
    if info.fmt.is_raw and "source_rms" in expected:
        rms = np.sqrt(np.mean(samples_of(path.read_bytes(), info) ** 2))
        assert rms == pytest.approx(expected["source_rms"], rel=0.01, abs=1e-4)


@pytest.mark.parametrize("container", ["RIFF", "RIFX", "W64", "RF64"])
def test_check_start_finds_the_inner_wavs_format(container: str) -> None:
    inner = wavs.build(wavs.sine(100), container=container, sample_rate_hz=44100)
    fmt = wavs.fmt_payload(sample_rate_hz=8000, big_endian=container == "RIFX")
    chunks = ((b"fmt ", fmt), (b"data", inner))
    wav = wavs.wrap(
        [wavs.chunk(*each, container=container) for each in chunks], container=container
    )
    started = [check_start(io.BytesIO(wav), size) for size in range(len(wav) + 1)]
    assert {fmt.sample_rate_hz for fmt in started if fmt} == {44100}
    assert started[-1]
