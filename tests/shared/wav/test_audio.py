"""Audio after the declared end: joined WAVs, several data chunks, and bytes that are no chunk."""

import io
import re

import numpy as np
import pytest
import soundfile

from shared.wav import WavInfo, read_wav
from tests import wavs
from tests.growth import grows_linearly


def read(wav: bytes) -> WavInfo:
    return read_wav(io.BytesIO(wav), len(wav))


def audio_of(wav: bytes, info: WavInfo) -> bytes:
    return b"".join(wav[part.offset : part.offset + part.size] for part in info.data)


@pytest.mark.parametrize("container", wavs.CONTAINERS)
@pytest.mark.parametrize("count", [2, 3, 20])
@pytest.mark.parametrize("tags", [[], [(b"LIST", b"INFOISFT\4\0\0\0abc\0")]])
def test_joined_wavs_are_all_read(container: str, count: int, tags: list[wavs.Piece]) -> None:
    parts = [wavs.sine(100 + 7 * index, 2) for index in range(count)]
    wav = b"".join(
        wavs.build(part, container=container, bits=24, before=tags, after=tags) for part in parts
    )
    info = read(wav)
    raw = [wavs.encode(part, bits=24, big_endian=container == "RIFX") for part in parts]
    assert audio_of(wav, info) == b"".join(raw)
    assert info.samples == sum(map(len, parts))
    assert len(info.chunks) == 2 * len(tags)
    assert info.warnings == (
        f"The file holds {count} WAVs of the same format, one after another. The audio of all was converted; "
        "tags and markers come from the first one.",
    )


@pytest.mark.slow
@pytest.mark.parametrize("container", ["RIFF", "RIFX"])
@pytest.mark.parametrize("declared", [0, wavs.STREAMING, 99_999_999])
def test_joined_streams_are_all_read(container: str, declared: int) -> None:
    samples = wavs.sine(700_000, 2)
    wav = wavs.build(samples, container=container, declared=declared)
    joined = wav + wavs.build(samples[:77], container=container) + wav
    raw = wavs.encode(samples, big_endian=container == "RIFX")
    assert audio_of(joined, read(joined)) == raw + raw[: 77 * 4] + raw


def test_joined_wavs_with_other_headers_are_all_read() -> None:
    wav = wavs.build(wavs.sine(100, 2)) + wavs.build(wavs.sine(50, 2), container="RF64")
    wav += wavs.build(wavs.sine(30, 2), channel_mask=3)
    assert read(wav).samples == 180


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (
            wavs.build(wavs.sine(48_000), sample_rate_hz=48_000),
            "1.00 s of PCM with 1 .*48000 Hz were left out",
        ),
        (wavs.build(wavs.sine(22_050, 2)), "0.50 s of PCM with 2 channel.*left out"),
        (wavs.build(wavs.sine(22_050), bits=24), "0.50 s of PCM"),
        (wavs.build(wavs.sine(22_050), codec="float", bits=32), "0.50 s of float"),
        (wavs.build(wavs.sine(100), container="RIFX"), "244 bytes follow"),
    ],
)
def test_a_joined_wav_of_another_format_is_reported(other: bytes, named: str) -> None:
    info = read(wavs.build(wavs.sine(100)) + other)
    assert (info.samples, len(info.warnings)) == (100, 1)
    assert re.search(named, info.warnings[0])


def test_joined_compressed_wavs_are_all_read() -> None:
    file = io.BytesIO()
    soundfile.write(file, wavs.sine(8000), 8000, format="WAV", subtype="IMA_ADPCM")
    once = read(file.getvalue())
    twice = read(2 * file.getvalue())
    assert twice.data_bytes == 2 * once.data_bytes
    assert (twice.fact_samples, len(twice.warnings)) == (None, 1)


@pytest.mark.parametrize("missing", [1, 2, 5000])
@pytest.mark.parametrize(("bits", "channels"), [(8, 1), (16, 1), (16, 2), (24, 2)])
def test_samples_after_the_declared_end_are_reported(
    missing: int, bits: int, channels: int
) -> None:
    align = channels * bits // 8
    if align == 1:
        missing *= 2  # a single byte is a pad
    samples = wavs.sine(20_000, channels)[100:]
    wav = wavs.build(samples, bits=bits, declared=(len(samples) - missing) * align)
    info = read(wav)
    assert info.samples == len(samples) - missing
    assert len(info.warnings) == 1
    assert f"{missing * align} bytes follow" in info.warnings[0]
    assert f"({missing / 44100:.2f} s if they are audio)" in info.warnings[0]


def test_a_wav_after_a_w64_is_reported() -> None:
    other = wavs.build(wavs.sine(100))
    info = read(wavs.build(wavs.sine(100), container="W64") + other)
    assert (info.samples, len(info.warnings)) == (100, 1)
    assert f"{len(other)} bytes follow" in info.warnings[0]


@pytest.mark.parametrize("tail", [b"\0", bytes(1000), b"\r\n"])
def test_a_harmless_tail_is_not_reported(tail: bytes) -> None:
    assert read(wavs.build(wavs.sine(100, 2)) + tail).warnings == ()


def test_long_silence_after_the_declared_end_is_reported() -> None:
    samples = np.concatenate([wavs.sine(1000), np.zeros((100_000, 1))])
    info = read(wavs.build(samples, declared=2000))
    (warning,) = info.warnings
    assert "200000 bytes follow" in warning


@pytest.mark.parametrize(("extra", "told"), [(1, 0), (2, 1), (3, 1)])
def test_an_incomplete_last_sample_is_reported(extra: int, told: int) -> None:
    samples = wavs.encode(wavs.sine(100, 2), bits=16) + b"abc"[:extra]
    fmt = wavs.chunk(b"fmt ", wavs.fmt_payload(channels=2))
    info = read(wavs.wrap([fmt, wavs.chunk(b"data", samples)]))
    assert info.samples == 100
    ends = [f"ends inside a sample: {extra} bytes" in warning for warning in info.warnings]
    assert ends == [True] * told


def test_a_declared_end_in_silence_is_reported() -> None:
    silence = np.zeros((2_000_000, 1))
    samples = np.concatenate([wavs.sine(100), silence, wavs.sine(100)])
    info = read(wavs.build(samples, declared=2000))
    assert (info.samples, len(info.warnings)) == (1000, 1)


@pytest.mark.parametrize("chunk_id", [b"LIST", b"abcd", b"junk", b"minf"])
def test_chunks_after_the_audio_are_not_reported(chunk_id: bytes) -> None:
    noise = np.random.default_rng(1).bytes(1001)
    assert read(wavs.build(wavs.sine(100), after=[(chunk_id, noise)])).warnings == ()


def test_fmt_chunks_that_contradict_each_other_are_reported() -> None:
    second = (b"fmt ", wavs.fmt_payload(sample_rate_hz=48000))
    info = read(wavs.build(wavs.sine(100), after=[second]))
    assert info.fmt.sample_rate_hz == 44100
    assert "The first one was used: PCM, 1 channel(s), 44100 Hz" in info.warnings[0]
    same = (b"fmt ", wavs.fmt_payload())
    assert read(wavs.build(wavs.sine(100), after=[same])).warnings == ()


@pytest.mark.slow
@pytest.mark.parametrize(
    "flood",
    [
        wavs.build(wavs.sine(2)),
        wavs.build(wavs.sine(2), sample_rate_hz=48000),
        wavs.build(wavs.sine(2), declared=wavs.STREAMING),
        wavs.wrap([]),
        wavs.chunk(b"data", b"1234"),
        wavs.chunk(b"fmt ", wavs.fmt_payload(bits=24)) + wavs.chunk(b"data", b"123456"),
    ],
)
def test_a_flood_of_recordings_is_read_once(flood: bytes) -> None:
    def read_all(wav: bytes) -> None:
        info = read(wav)
        assert len(info.warnings) <= 4
        assert len(info.data) <= 10_000

    head = wavs.build(wavs.sine(10))
    read_all(head + flood * 20_000)
    # of three chunks each, so that all of them are within the reader's bound on chunks
    assert grows_linearly(read_all, head, flood, 3_000)


def test_headers_in_a_stream_are_found_in_one_pass() -> None:
    wav = wavs.build(wavs.sine(10), declared=wavs.STREAMING)
    assert read(wav + b"WAVEfmt " * 2_000_000).samples == 8_000_010
    assert grows_linearly(read, wav, b"WAVEfmt ", 2_000_000)


def test_an_unset_fact_is_ignored() -> None:
    """libsndfile writes such a value into the fact chunk of W64."""
    file = io.BytesIO()
    soundfile.write(file, wavs.sine(9000), 8000, format="W64", subtype="MS_ADPCM")
    assert read(file.getvalue()).fact_samples is None
