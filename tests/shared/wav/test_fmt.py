"""`fmt ` chunks that are accepted, corrected and refused."""

import io
import struct
import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from shared.errors import BadWav
from shared.wav import Codec, WavInfo, read_wav
from tests import wavs

ATRAC3PLUS_GUID = bytes.fromhex("bfaa23e958cb7144a119fffa01e4ce62")
SPDIF_GUID_TAIL = bytes.fromhex("ea0c 1000 8000 00aa00389b71")


def read(wav: bytes) -> WavInfo:
    return read_wav(io.BytesIO(wav), len(wav))


def wav_with(fmt: bytes, *, container: str = "RIFF") -> bytes:
    chunks = [(b"fmt ", fmt), (b"data", bytes(7680))]
    return wavs.wrap(
        [wavs.chunk(*piece, container=container) for piece in chunks], container=container
    )


@pytest.mark.parametrize("container", ["RIFF", "RIFX", "W64"])
@pytest.mark.parametrize("fmt_bytes", [14, 16, 18, 20, 40, 5000])
def test_fmt_has_at_least_14_bytes(container: str, fmt_bytes: int) -> None:
    info = read(wavs.build(wavs.sine(50, 2), bits=24, container=container, fmt_bytes=fmt_bytes))
    assert (info.fmt.bits_per_sample, info.fmt.block_align, info.samples) == (24, 6, 50)


@pytest.mark.parametrize("container", wavs.CONTAINERS)
@pytest.mark.parametrize("mask", [0, 0x3, 0x60F, 0x3FFFF])
def test_the_channel_mask_is_read(container: str, mask: int) -> None:
    info = read(wavs.build(wavs.sine(9, 2), container=container, channel_mask=mask))
    assert (info.fmt.channel_mask, info.fmt.codec) == (mask, Codec.PCM)
    assert info.fmt.payload == wavs.fmt_payload(channels=2, channel_mask=mask)


@pytest.mark.parametrize(
    ("valid_bits", "bits"),
    [(12, 16), (20, 24), (24, 32), (27, 32), (36, 40), (44, 48), (48, 48), (52, 56)],
)
def test_valid_bits_are_left_justified(valid_bits: int, bits: int) -> None:
    wav = wavs.build(wavs.sine(99), bits=bits, valid_bits=valid_bits)
    info = read(wav)
    assert (info.fmt.bits_per_sample, info.fmt.block_align) == (bits, bits // 8)
    raw = wav[info.data_offset :][: info.data_bytes]
    decoded = wavs.decode(raw, channels=1, bits=bits)
    np.testing.assert_allclose(decoded, wavs.sine(99), atol=2.0**-valid_bits)


@pytest.mark.parametrize(
    ("bits", "container_bits"),
    [(12, 16), (20, 24), (24, 32), (1, 8), (0, 16), (36, 40), (44, 48), (52, 56)],
)
def test_odd_widths_fill_whole_bytes(bits: int, container_bits: int) -> None:
    info = read(wav_with(wavs.fmt_payload(bits=bits, block_align=container_bits // 8)))
    assert info.fmt.bits_per_sample == container_bits


@pytest.mark.parametrize("bits", [8, 12, 16, 20, 24, 32, 36, 48, 64])
def test_a_missing_block_align_is_computed(bits: int) -> None:
    info = read(wav_with(wavs.fmt_payload(channels=2, bits=bits, block_align=0)))
    assert info.fmt.block_align == 2 * -(-bits // 8)


@pytest.mark.parametrize("codec", ["alaw", "mulaw"])
@pytest.mark.parametrize("bits", [0, 8, 16])
def test_a_law_always_has_8_bits(codec: str, bits: int) -> None:
    info = read(wav_with(wavs.fmt_payload(channels=2, codec=codec, bits=bits)))
    assert (info.fmt.bits_per_sample, info.fmt.block_align) == (8, 2)


@pytest.mark.parametrize("tag", [1, 3])
def test_ambisonic_files_are_read(tag: int) -> None:
    fmt = wavs.fmt_payload(channels=4, bits=32, channel_mask=0, tag=tag)
    info = read(wav_with(fmt[:28] + bytes.fromhex("2107d3118644c8c1ca000000")))
    assert (info.fmt.codec, info.fmt.channels) == ({1: Codec.PCM, 3: Codec.FLOAT}[tag], 4)
    assert (info.fmt.ambisonic, read(wav_with(fmt)).fmt.ambisonic) == (True, False)


@pytest.mark.parametrize(
    ("fmt", "reason"),
    [
        (wavs.fmt_payload(channels=0, block_align=2), "0 channels, but PCM in a WAV has 1 to 64"),
        (wavs.fmt_payload(channels=65), "65 channels"),
        (wavs.fmt_payload(tag=0x11, channels=3, bits=4, block_align=256), "3 channels"),
        (wavs.fmt_payload(tag=0x31, channels=2, bits=0, block_align=65), "2 channels"),
        (wavs.fmt_payload(tag=0x50, channels=3, bits=0, block_align=1), "3 channels"),
        (wavs.fmt_payload(tag=0x55, channels=6, bits=0, block_align=1), "6 channels"),
        (wavs.fmt_payload(tag=0x2000, channels=7, bits=0, block_align=1), "7 channels"),
        (wavs.fmt_payload(tag=0x31, bits=0, block_align=64), "contradicts"),
        (wavs.fmt_payload(sample_rate_hz=0), "0 Hz"),
        (wavs.fmt_payload(sample_rate_hz=999), "999 Hz"),
        (wavs.fmt_payload(sample_rate_hz=768_001), "768001 Hz"),
        (wavs.fmt_payload(channels=2, bits=20, block_align=4), "contradicts"),
        (wavs.fmt_payload(bits=72), "contradicts"),
        (wavs.fmt_payload(bits=12, block_align=6), "contradicts"),
        (wavs.fmt_payload(bits=0), "contradicts"),
        (wavs.fmt_payload(codec="float", bits=16), "contradicts"),
        (wavs.fmt_payload(tag=0x11, bits=4, block_align=4), "says IMA ADPCM, but blocks of 4"),
        (wavs.fmt_payload(tag=2, bits=16, block_align=2), "says MS ADPCM, but blocks of 2 bytes"),
        (wavs.fmt_payload(tag=0x11, bits=16, block_align=512), "contradicts"),
        (wavs.fmt_payload(tag=0x0163), r"WMA Lossless \(format tag 0x0163\)"),
        (wavs.fmt_payload(tag=0x0064), r"G.726 ADPCM \(format tag 0x0064\)"),
        (wavs.fmt_payload(tag=0xFFFF), "Vorbis of Wwise"),
        (wavs.fmt_payload(tag=0x4242), "0x4242"),
        (wavs.fmt_payload(channel_mask=3)[:24] + ATRAC3PLUS_GUID, "ATRAC3plus"),
        (wavs.fmt_payload(tag=0x45, bits=16, block_align=1), "says G.726, but 16 bits a sample"),
        (wavs.fmt_payload(tag=0xFFFE), "sub-format"),
        (wavs.fmt_payload(channel_mask=3)[:-1] + b"\0", "unknown sub-format"),
        (wavs.fmt_payload(channel_mask=3)[:-12] + SPDIF_GUID_TAIL, "Dolby or DTS stream"),
    ],
)
def test_an_unsupported_fmt_is_refused(fmt: bytes, reason: str) -> None:
    with pytest.raises(BadWav, match=reason):
        read(wav_with(fmt))


@pytest.mark.parametrize("rate_hz", [1000, 8000, 11025, 44100, 192_000, 768_000])
@pytest.mark.parametrize("channels", [1, 2, 64])
def test_every_allowed_rate_is_read(rate_hz: int, channels: int) -> None:
    info = read(wav_with(wavs.fmt_payload(sample_rate_hz=rate_hz, channels=channels)))
    assert (info.fmt.sample_rate_hz, info.fmt.channels) == (rate_hz, channels)


@pytest.mark.parametrize(
    ("encoder", "rate_hz", "codec"),
    [
        ("adpcm_ms", 44100, Codec.MS_ADPCM),
        ("adpcm_ima_wav", 44100, Codec.IMA_ADPCM),
        ("adpcm_yamaha", 44100, Codec.YAMAHA_ADPCM),
        ("g722", 16000, Codec.G722),
        ("g726", 8000, Codec.G726),
        ("mp2", 44100, Codec.MP2),
        ("libmp3lame", 44100, Codec.MP3),
        ("ac3", 44100, Codec.AC3),
        ("eac3", 48000, Codec.EAC3),
        ("dca", 48000, Codec.DTS),
        ("flac", 44100, Codec.FLAC),
        ("g723_1", 8000, Codec.G723_1),
        ("wmav1", 44100, Codec.WMA_1),
        ("wmav2", 44100, Codec.WMA_2),
    ],
)
def test_the_fmt_payload_decodes_compressed_audio(
    encoder: str, rate_hz: int, codec: Codec, tmp_path: Path
) -> None:
    path, ffmpeg = tmp_path / "compressed.wav", imageio_ffmpeg.get_ffmpeg_exe()
    tone = wavs.build(wavs.sine(2 * rate_hz, sample_rate_hz=rate_hz), sample_rate_hz=rate_hz)
    subprocess.run(
        [ffmpeg, "-v", "error", "-i", "-", "-strict", "-2", "-c:a", encoder, path],
        input=tone,
        check=True,
    )
    wav = path.read_bytes()
    info = read(wav)
    assert (info.fmt.codec, info.fmt.is_raw, info.samples) == (codec, False, None)
    if info.duration_s is not None:
        assert info.duration_s == pytest.approx(2, abs=0.1)
    clean = wavs.wrap(
        [
            wavs.chunk(b"fmt ", info.fmt.payload),
            wavs.chunk(b"data", wav[info.data_offset :][: info.data_bytes]),
        ]
    )
    decoded = subprocess.run(
        [
            ffmpeg,
            "-v",
            "error",
            "-f",
            "wav",
            "-c:a",
            info.fmt.codec,
            "-i",
            "-",
            "-f",
            "f64le",
            "-",
        ],
        input=clean,
        check=True,
        capture_output=True,
    )
    assert decoded.stderr == b""
    values = np.frombuffer(decoded.stdout)
    assert len(values) == pytest.approx(2 * rate_hz, abs=4000)
    loudness = np.sqrt(np.mean(values[len(values) // 4 : -len(values) // 4] ** 2))
    assert loudness == pytest.approx(0.5 / np.sqrt(2), rel=0.08)  # LAME scales by 0.95


def test_ima_adpcm_defaults_to_4_bits() -> None:
    info = read(wav_with(wavs.fmt_payload(tag=0x11, bits=0, block_align=256)))
    assert struct.unpack("<HH", info.fmt.payload[12:16]) == (256, 4)


def test_adts_aac_is_decoded() -> None:
    ffmpeg = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", "-"]
    tone = wavs.build(wavs.sine(44100))
    adts = subprocess.run(
        [*ffmpeg, "-f", "adts", "-"], input=tone, check=True, capture_output=True
    ).stdout
    fmt = wavs.fmt_payload(tag=0x1600, bits=0, block_align=1) + bytes(2)
    info = read(wavs.wrap([wavs.chunk(b"fmt ", fmt), wavs.chunk(b"data", adts)]))
    assert (info.fmt.codec, len(info.warnings)) == (Codec.AAC, 1)
    assert "does not say where it starts" in info.warnings[0]


@pytest.mark.parametrize("mask", [0x40000, 0x80000000, 0xFFFFFFFF, 44100 << 4])
def test_a_mask_with_unknown_speakers_is_ignored(mask: int) -> None:
    """Some writers put the size of the data there. It would leave out the fourth track as an LFE."""
    info = read(wavs.build(wavs.sine(9, 4), channel_mask=mask))
    assert info.fmt.channel_mask == 0
