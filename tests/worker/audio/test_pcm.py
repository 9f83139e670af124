import io
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import BinaryIO

import imageio_ffmpeg
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.segmentation import SampleRange
from shared.wav import Codec, WavInfo, read_wav
from tests import wavs
from tests.worker.conversion import snr_db, sweep
from worker.audio import pcm
from worker.audio.flaws import Flaws

MPEG_1_LAYER_3 = b"\x01\x00\x02\x00\x00\x00\x80\x04\x01\x00\x71\x05"


def read(wav: bytes, start: int = 0, samples: int | None = None) -> tuple[bytes, pcm.PcmFormat]:
    info = info_of(wav)
    assert info.samples is not None
    sample_range = SampleRange(start, info.samples - start if samples is None else samples)
    with opened(wav) as file:
        return b"".join(pcm.read_samples(file, info, sample_range, Flaws())), pcm.raw_format(info)


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
    samples = 1e30 * wavs.sine(1000, 2)
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


@settings(deadline=None)
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
        decoder_input = b"".join(pcm.compressed_file(file, info, Flaws()))
    assert b"secret" not in decoder_input
    assert decoder_input.endswith(b"data\xff\xff\xff\xff" + data)
    again = info_of(decoder_input)
    assert replace(again, data=info.data, chunks=info.chunks) == info


JOINED = [wavs.sine(1000, 2), wavs.sine(70_000, 2), wavs.sine(3, 2)]
JOINED_24_BIT = b"".join(wavs.build(part, bits=24, after=[(b"LIST", b"odd")]) for part in JOINED)
JOINED_RAW = b"".join(wavs.encode(part, bits=24) for part in JOINED)


@settings(deadline=None)
@given(start=st.integers(0, 71_003), end=st.integers(0, 71_003))
def test_a_range_reads_across_joined_wavs(start: int, end: int) -> None:
    data, pcm_format = read(JOINED_24_BIT, start, max(0, end - start))
    assert data == JOINED_RAW[start * pcm_format.block_align : end * pcm_format.block_align]


@pytest.mark.parametrize("container", ["RIFF", "RIFX"])
def test_24_bits_in_the_lower_bytes_are_read(container: str) -> None:
    samples = wavs.sine(50_000, 2)
    order = ">" if container == "RIFX" else "<"
    whole = np.rint(samples * (2**23 - 1)).astype(f"{order}i4")
    fmt = wavs.fmt_payload(channels=2, bits=24, block_align=8, big_endian=container == "RIFX")
    chunks = [(b"fmt ", fmt), (b"data", whole.tobytes())]
    wav = wavs.wrap(
        [wavs.chunk(*piece, container=container) for piece in chunks], container=container
    )
    data, pcm_format = read(wav)
    got = wavs.decode(data, channels=2, bits=24, big_endian=container == "RIFX")
    assert pcm_format == pcm.PcmFormat(f"s24{'be' if order == '>' else 'le'}", 3, 2, 44100)
    np.testing.assert_array_equal(got, whole / 2.0**23)


def decoded_by_ffmpeg(wav: bytes) -> tuple[bytes, WavInfo]:
    info = info_of(wav)
    with opened(wav) as file:
        source = b"".join(pcm.compressed_file(file, info, Flaws()))
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *pcm.decoding_arguments(info), "-"]
    decoded = subprocess.run(command, input=source, check=True, capture_output=True).stdout
    chunks = (decoded[at : at + 999] for at in range(0, len(decoded), 999))
    return b"".join(pcm.without_padding(chunks, info, Flaws())), info


def with_fact(wav: bytes, fact: int) -> bytes:
    fmt = info_of(wav).fmt.payload
    audio = wav[wav.index(b"data") :]
    pieces = [wavs.chunk(b"fmt ", fmt), wavs.chunk(b"fact", struct.pack("<I", fact)), audio]
    return wavs.wrap(pieces)


@pytest.mark.parametrize(
    ("subtype", "block_samples"), [("IMA_ADPCM", 505), ("MS_ADPCM", 500), ("GSM610", 320)]
)
@pytest.mark.parametrize("missing", [0, 1, 200, 319])
def test_block_padding_is_cut_at_the_fact(subtype: str, block_samples: int, missing: int) -> None:
    file = io.BytesIO()
    soundfile.write(file, wavs.sine(5000), 8000, format="WAV", subtype=subtype)
    whole, info = decoded_by_ffmpeg(with_fact(file.getvalue(), 2**32 - 1))
    assert info.fmt.block_samples == block_samples
    samples = len(whole) // 4
    assert samples % block_samples == 0
    cut, _ = decoded_by_ffmpeg(with_fact(file.getvalue(), samples - missing))
    assert cut == whole[: 4 * (samples - missing)]


@pytest.mark.parametrize("excess", [-1000, 5000])
def test_a_wrong_fact_counts_for_nothing(excess: int) -> None:
    file = io.BytesIO()
    soundfile.write(file, wavs.sine(9000), 8000, format="WAV", subtype="IMA_ADPCM")
    whole, _ = decoded_by_ffmpeg(with_fact(file.getvalue(), 2**32 - 1))
    assert decoded_by_ffmpeg(with_fact(file.getvalue(), len(whole) // 4 - excess))[0] == whole


@pytest.mark.parametrize("channels", [1, 2])
def test_xbox_adpcm_has_64_samples_in_a_block(channels: int) -> None:
    fmt = wavs.fmt_payload(channels=channels, tag=0x69, bits=4, block_align=36 * channels)
    blocks = 100 * (channels * struct.pack("<hBB", 9999, 0, 0) + bytes(32 * channels))
    wav = wavs.wrap([wavs.chunk(b"fmt ", fmt + b"\2\0\x40\0"), wavs.chunk(b"data", blocks)])
    raw, info = decoded_by_ffmpeg(wav)
    assert len(raw) == 4 * channels * 6400
    assert info.duration_s == 6400 / 44100


@pytest.mark.parametrize("tag", [0x10, 0x17])
def test_oki_adpcm_is_decoded(tag: int) -> None:
    """Dialogic's telephony cards record it. libsndfile reads it without a header, as VOX."""
    vox = io.BytesIO()
    soundfile.write(vox, wavs.sine(4000), 8000, format="RAW", subtype="VOX_ADPCM")
    fmt = wavs.fmt_payload(sample_rate_hz=8000, tag=tag, bits=4, block_align=1)
    raw, info = decoded_by_ffmpeg(
        wavs.wrap([wavs.chunk(b"fmt ", fmt), wavs.chunk(b"data", vox.getvalue())])
    )
    vox.seek(0)
    expected, _ = soundfile.read(
        vox, 4000, 0, format="RAW", subtype="VOX_ADPCM", channels=1, samplerate=8000
    )
    assert np.allclose(np.frombuffer(raw, "<i4") / 2**31, expected, atol=2**-11)
    assert info.duration_s == 0.5


def mp3_in_wav(samples: wavs.Samples, rate_hz: int) -> bytes:
    wav = wavs.build(samples, sample_rate_hz=rate_hz)
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", "-", "-c:a", "libmp3lame"]
    made = subprocess.run(
        [*command, "-b:a", "64k", "-f", "wav", "-"], input=wav, check=True, capture_output=True
    ).stdout
    at = made.index(b"data") + 8
    fmt = made[20 : 20 + int.from_bytes(made[16:20], "little")]
    return wavs.wrap([wavs.chunk(b"fmt ", fmt), wavs.chunk(b"data", made[at:])])


@pytest.mark.slow
@pytest.mark.parametrize(("rate_hz", "channels"), [(44100, 1), (44100, 2), (22050, 1), (8000, 1)])
@pytest.mark.parametrize("counts_delay", [False, True])
@pytest.mark.parametrize("samples", [20_000, 20_331, 20_800])
def test_an_mp3_without_a_header_is_aligned(
    rate_hz: int, channels: int, samples: int, *, counts_delay: bool
) -> None:
    source = sweep(samples, channels, rate_hz)
    wav = with_fact(mp3_in_wav(source, rate_hz), samples + 1105 * counts_delay)
    raw, info = decoded_by_ffmpeg(wav)
    voices = np.frombuffer(raw, "<f4").reshape(-1, channels)
    assert len(voices) == samples
    assert info.warnings == ()
    assert snr_db(source[2000:-2000], voices[2000:-2000]) > 15


def test_an_mp3_without_any_mark_is_reported() -> None:
    made = mp3_in_wav(sweep(20_000, 1, 44100), 44100).replace(b"LAME", b"UUUU")
    whole, info = decoded_by_ffmpeg(made)
    assert info.fmt.padding_samples[0] == int.from_bytes(info.fmt.payload[28:30], "little") > 0
    assert "does not say where its audio starts" in info.warnings[0]
    assert len(whole) % 4 == 0
