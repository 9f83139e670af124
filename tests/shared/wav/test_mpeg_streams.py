"""MPEG frames, compared with the frames that ffmpeg writes."""

import subprocess

import imageio_ffmpeg
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.wav.mpeg_streams import find_xing, first_frame, padding_samples

MPEG_1_RATES_HZ = [32000, 44100, 48000]
MPEG_2_RATES_HZ = [16000, 22050, 24000]


def encoded(codec: str, rate_hz: int, channels: int, bitrate_kbps: int) -> bytes:
    noise = np.random.default_rng(rate_hz).integers(-9999, 9999, (rate_hz // 4, channels), np.int16)
    raw = ["-f", "s16le", "-ar", str(rate_hz), "-ac", str(channels), "-i", "-"]
    how = ["-c:a", codec, "-b:a", f"{bitrate_kbps}k", "-write_xing", "0", "-id3v2_version", "0"]
    how = how if codec == "libmp3lame" else how[:4]
    out = ["-f", "mp3" if codec == "libmp3lame" else "mp2", "-"]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *raw, *how, *out]
    return subprocess.run(command, input=noise.tobytes(), check=True, capture_output=True).stdout


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(
    ("codec", "rate_hz", "bitrate_kbps"),
    [
        *[("mp2", rate_hz, 128) for rate_hz in MPEG_1_RATES_HZ + MPEG_2_RATES_HZ],
        *[("libmp3lame", rate_hz, 96) for rate_hz in MPEG_1_RATES_HZ + MPEG_2_RATES_HZ],
        *[("libmp3lame", rate_hz, 64) for rate_hz in (8000, 11025, 12000)],
    ],
)
def test_every_frame_leads_to_the_next(
    codec: str, rate_hz: int, bitrate_kbps: int, channels: int
) -> None:
    stream = encoded(codec, rate_hz, channels, bitrate_kbps)
    at = frames = 0
    while at < len(stream):
        found = first_frame(stream[at:])
        assert found is not None
        skipped, header = found
        assert skipped == 0
        assert (header.format.sample_rate_hz, header.format.channels) == (rate_hz, channels)
        at, frames = at + header.frame_bytes, frames + 1
    assert frames >= rate_hz / 4 / 1152


# ffmpeg writes no layer I, so these two headers are made by hand: 384 samples in slots of 4 bytes.
@pytest.mark.parametrize(
    ("header", "size", "rate_hz"), [("ffff9000", 312, 44100), ("fff74600", 132, 24000)]
)
def test_layer_one_slots_have_four_bytes(header: str, size: int, rate_hz: int) -> None:
    frame = bytes.fromhex(header).ljust(size, b"\0")
    found = first_frame(2 * frame)
    assert found is not None
    at, first = found
    assert (at, first.frame_bytes, first.format.sample_rate_hz) == (0, size, rate_hz)


def test_bytes_before_the_first_frame_are_skipped() -> None:
    stream = encoded("libmp3lame", 44100, 2, 128)
    found = first_frame(b"\xff\xfb\x90\x64junk" + stream)
    assert found is not None
    assert found[0] == 8


@given(st.binary(max_size=2000))
def test_noise_is_not_a_frame(noise: bytes) -> None:
    assert first_frame(noise) is None


def test_a_header_alone_is_not_a_frame() -> None:
    assert first_frame(b"\xff\xfb\x90\x64" + bytes(2000)) is None


@pytest.mark.parametrize("fields", [0x0, 0x1, 0x3, 0xB, 0xF])
@pytest.mark.parametrize("crc", [False, True])
@pytest.mark.parametrize(
    ("header", "side_info_bytes", "samples"),
    [
        *[("fffb9064", 32, 1152), ("fffb90c4", 17, 1152)],
        *[("fff390c4", 9, 576), ("fff39064", 17, 576), ("ffe394c4", 9, 576)],
    ],
)
def test_a_lame_header_declares_the_padding(
    header: str, side_info_bytes: int, samples: int, fields: int, *, crc: bool
) -> None:
    head = bytearray.fromhex(header)
    head[1] &= 0xFE if crc else 0xFF
    xing = bytes(head) + bytes(side_info_bytes + 2 * crc) + b"Xing" + fields.to_bytes(4)
    xing += bytes(sum(size for bit, size in enumerate((4, 4, 100, 4)) if fields >> bit & 1))
    lame = xing + b"LAME3.100" + bytes(12) + (1105 << 12 | 1600).to_bytes(3)
    plain = xing.replace(b"Xing", b"none")
    for start, expected in (
        (lame, (samples + 1105 + 529, 1600 - 529)),
        (xing, (samples + 529, 0)),
        (plain, None),
    ):
        found = first_frame(2 * start.ljust(first_size(bytes(head)), b"\0"))
        assert found is not None
        xing_header = find_xing(start, *found)
        assert (xing_header and padding_samples(start, xing_header, found[1])) == expected


def first_size(header: bytes) -> int:
    """Return the size at which a second such header makes the first one a frame."""
    return next(size for size in range(20, 3000) if first_frame(2 * header.ljust(size, b"\0")))
