"""Metadata chunks that are left out or incomplete, and a WAV inside another one."""

import io
import struct

import pytest

from shared.errors import NotAWav
from shared.wav import WavInfo, check_start, read_wav
from shared.wav.metadata import MAX_METADATA_CHUNKS
from shared.wav.reader import MAX_CHUNKS
from tests import wavs


def read(wav: bytes) -> WavInfo:
    return read_wav(io.BytesIO(wav), len(wav))


SAMPLES = wavs.sine(100, 2)


def test_metadata_chunks_beyond_the_limit_are_reported() -> None:
    info = read(wavs.build(SAMPLES, before=[(b"abcd", b"x")] * (MAX_METADATA_CHUNKS + 7)))
    assert len(info.chunks) == MAX_METADATA_CHUNKS
    (warning,) = info.warnings
    assert warning.startswith("7 of the WAV's 1007 metadata chunks were left out")


def test_audio_beyond_the_limit_of_chunks_is_reported() -> None:
    info = read(wavs.build(SAMPLES, after=[(b"JUNK", b"x")] * MAX_CHUNKS))
    assert [f"more than {MAX_CHUNKS} chunks" in warning for warning in info.warnings] == [
        False,
        True,
    ]


def test_a_chunk_that_is_cut_off_is_reported() -> None:
    wav = wavs.build(SAMPLES, after=[(b"LIST", b"INFOINAM\x08\0\0\0A title.")])
    (warning,) = read(wav[:-6]).warnings
    assert warning == "The LIST chunk is cut off: 6 of its 20 bytes are missing."


@pytest.mark.parametrize("container", ["RIFF", "RIFX", "W64", "RF64"])
@pytest.mark.parametrize("declared", [None, 0, wavs.STREAMING])
def test_a_wav_inside_a_data_chunk_is_read(container: str, declared: int | None) -> None:
    """Read as samples, the inner header would be a click. The inner format counts, and the metadata of both."""
    big_endian = container == "RIFX"
    title = (b"abcd", b"xx")
    inner = wavs.build(
        wavs.sine(100), container=container, sample_rate_hz=22050, bits=24, before=[title]
    )
    fmt = wavs.fmt_payload(channels=2, bits=16, big_endian=big_endian)
    wav = wavs.wrap(
        [
            wavs.chunk(b"fmt ", fmt, container=container),
            wavs.chunk(*title, container=container),
            wavs.chunk(b"data", inner, container=container, declared=declared),
            *([wavs.chunk(*title, container=container)] if declared is None else []),
        ],
        container=container,
    )
    info = read(wav)
    assert (info.fmt.channels, info.fmt.sample_rate_hz, info.fmt.bits_per_sample) == (1, 22050, 24)
    (data,) = info.data
    raw = wavs.encode(wavs.sine(100)[:, None], bits=24, big_endian=big_endian)
    assert wav[data.offset : data.offset + data.size] == raw
    assert len(info.chunks) == (3 if declared is None else 2)
    assert ["holds another WAV" in warning for warning in info.warnings] == [True]


@pytest.mark.parametrize(
    "junk",
    [
        b"\xef\xbb\xbf",
        b"\r\n",
        bytes(512),
        b"HTTP/1.1 200 OK\r\nContent-Type: audio/wav\r\n\r\n",
        b'------form\r\nContent-Disposition: form-data; name="file"\r\n\r\n',
    ],
)
def test_bytes_before_the_header_are_reported(junk: bytes) -> None:
    info = read(junk + wavs.build(SAMPLES, before=[(b"bext", bytes(602))]))
    assert (info.samples, [chunk.id for chunk in info.chunks]) == (100, [b"bext"])
    (warning,) = info.warnings
    assert warning.startswith(f"The file has {len(junk)} bytes before the WAV's header")


def test_a_header_after_junk_is_checked_later() -> None:
    wav = bytes(512) + wavs.build(SAMPLES)
    outcomes = [check_start(io.BytesIO(wav), size) for size in (16, 512, 520, len(wav))]
    assert [outcome is not None for outcome in outcomes] == [False, False, False, True]


@pytest.mark.parametrize(
    "start", [b"PK\x03\x04", b"fLaC", b"{", b"<html>", b"RIFF1234AVI ", bytes(5000)]
)
def test_a_wav_inside_another_file_is_not_read(start: bytes) -> None:
    with pytest.raises(NotAWav):
        read(start + bytes(60) + wavs.build(SAMPLES))


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        (b"TAG" + bytes(125), "ID3v1"),
        (b"APETAGEX" + struct.pack("<IIII", 2000, 64, 1, 0xA0000000) + bytes(72), "APE"),
    ],
)
def test_a_tag_after_the_audio_is_named(tag: bytes, name: str) -> None:
    info = read(wavs.build(SAMPLES) + tag)
    assert (info.samples, info.chunks) == (100, ())
    assert info.warnings == (
        f"An {name} tag of {len(tag)} bytes follows the audio. It was left out.",
    )


def test_a_chunk_without_a_name_is_reported() -> None:
    """W64 has GUIDs of its own for markers and texts."""
    wav = wavs.build(SAMPLES, container="W64", after=[(b"mark", b"x" * 40)])
    at = wav.rindex(b"mark")
    guid = bytes.fromhex("5662f7ab2d39d211 86c700c04f8edb8a")
    info = read(wav[:at] + guid + wav[at + 16 :])
    assert info.warnings == ("1 chunk(s) with 40 bytes have an unknown id and were left out.",)


# If both sizes are wrong, nothing says where the samples start.
@pytest.mark.parametrize(
    ("outer_is_late", "inner_is_right"), [(False, False), (False, True), (True, True)]
)
@pytest.mark.parametrize("shift", [28, 30, 52])
@pytest.mark.parametrize("container", ["RIFF", "RIFX"])
def test_an_old_header_in_the_data_is_not_audio(
    container: str, shift: int, *, outer_is_late: bool, inner_is_right: bool
) -> None:
    """A recorder wrote a shorter header over the first one. Read as samples, its rest would be a click."""
    big_endian = container == "RIFX"
    samples = wavs.encode(SAMPLES, bits=16, big_endian=big_endian)
    size = len(samples) if inner_is_right else 0
    rest = bytes(shift) + b"data" + size.to_bytes(4, "big" if big_endian else "little")
    declared = len(rest + samples) if outer_is_late else len(samples)
    wav = wavs.wrap(
        [
            wavs.chunk(
                b"fmt ", wavs.fmt_payload(channels=2, big_endian=big_endian), container=container
            ),
            wavs.chunk(b"data", rest + samples, declared=declared, container=container),
        ],
        container=container,
    )
    info = read(wav)
    assert (info.samples, info.data_offset) == (100, wav.index(samples))
    (warning,) = info.warnings
    assert f"starts with {len(rest)} bytes of an old header" in warning


def test_a_word_in_the_samples_is_not_a_header() -> None:
    samples = b"data" + struct.pack("<I", 77) + wavs.encode(SAMPLES, bits=16)
    fmt = wavs.chunk(b"fmt ", wavs.fmt_payload(channels=2))
    info = read(wavs.wrap([fmt, wavs.chunk(b"data", samples)]))
    assert (info.samples, info.warnings) == (102, ())
