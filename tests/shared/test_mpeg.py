"""Frame headers and their values according to the standards."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mpeg import SAMPLE_RATES_HZ, FrameFormat, MpegHeader, parse_header


@pytest.mark.parametrize(
    ("header", "audio", "bitrate_kbps", "frame_bytes"),
    [
        ("fffb9064", FrameFormat(44100, 2), 128, 417),
        ("fffb9264", FrameFormat(44100, 2), 128, 418),
        ("fff380c4", FrameFormat(22050, 1), 64, 208),
        ("ffe318c4", FrameFormat(8000, 1), 8, 72),
        ("fffd9064", FrameFormat(44100, 2, layer=2), 160, 522),
        ("ffff9000", FrameFormat(44100, 2, layer=1), 288, 312),
    ],
)
def test_a_header_is_parsed(
    header: str, audio: FrameFormat, bitrate_kbps: int, frame_bytes: int
) -> None:
    parsed = parse_header(bytes.fromhex(header))
    assert parsed is not None
    assert (parsed.format, parsed.bitrate_kbps) == (audio, bitrate_kbps)
    assert (parsed.frame_bytes, parsed.has_crc) == (frame_bytes, False)


def test_a_crc_is_recognised() -> None:
    assert parse_header(b"\xff\xfa\x90\x64") == MpegHeader(FrameFormat(44100, 2), 128, 0, True)


@pytest.mark.parametrize(
    "reserved",
    ["ffeb9064", "fff99064", "fffb9c64", "fffb0064", "fffbf064", "7ffb9064", "fffb90", ""],
)
def test_reserved_values_are_not_a_header(reserved: str) -> None:
    assert parse_header(bytes.fromhex(reserved)) is None


@given(st.binary(min_size=4, max_size=4))
def test_any_header_has_a_size(data: bytes) -> None:
    header = parse_header(data)
    if header is not None:
        assert 24 <= header.frame_bytes <= 2881
        assert header.format.sample_rate_hz in SAMPLE_RATES_HZ
