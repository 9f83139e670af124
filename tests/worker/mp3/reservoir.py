"""Reads MP3 frames out of the bit reservoir as a decoder does. Nothing here uses the code under test.

Sources: ISO/IEC 11172-3, 2.4.1 and 2.4.2.7; ISO/IEC 13818-3, 2.4.
"""

from typing import NamedTuple

_RATES_HZ = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_MPEG1_KBPS = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_MPEG2_KBPS = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)


class Frame(NamedTuple):
    """The parts of a frame that decide its sound."""

    header: int
    """The header without bitrate, padding and CRC."""
    side_info: int
    """The side info without `main_data_begin`."""
    main_data: bytes


class _Layout(NamedTuple):
    frame_bytes: int
    head_bytes: int
    begin_bits: int
    length_places: list[int]


def unpacked(stream: bytes) -> list[Frame]:
    """Return the frames of a stream without tags, with or without a reservoir."""
    heads: list[tuple[bytes, _Layout, int]] = []
    main = bytearray()
    at = 0
    while at < len(stream):
        layout = _layout(int.from_bytes(stream[at : at + 4]))
        frame = stream[at : at + layout.frame_bytes]
        assert len(frame) == layout.frame_bytes
        heads.append((frame[: layout.head_bytes], layout, len(main)))
        main += frame[layout.head_bytes :]
        at += layout.frame_bytes
    return [_frame(*head, main) for head in heads]


def frame_bytes(header: int) -> int:
    version = header >> 19 & 3
    is_mpeg1 = version == 3
    kbps = (_MPEG1_KBPS if is_mpeg1 else _MPEG2_KBPS)[header >> 12 & 15]
    slots = (144_000 if is_mpeg1 else 72_000) * kbps // _RATES_HZ[version][header >> 10 & 3]
    return slots + (header >> 9 & 1)


def _layout(header: int) -> _Layout:
    assert header >> 21 == 0x7FF
    assert header >> 16 & 7 == 3, "layer III without a CRC"
    is_mpeg1, is_mono = header >> 19 & 3 == 3, header >> 6 & 3 == 3
    side_info_bytes = (17 if is_mono else 32) if is_mpeg1 else (9 if is_mono else 17)
    block_bits, blocks = (59, 2) if is_mpeg1 else (63, 1)
    blocks *= 1 if is_mono else 2
    first = 8 * side_info_bytes - blocks * block_bits
    places = [first + block_bits * block for block in range(blocks)]
    return _Layout(frame_bytes(header), 4 + side_info_bytes, 9 if is_mpeg1 else 8, places)


def _frame(head: bytes, layout: _Layout, slot_start: int, main: bytearray) -> Frame:
    side_info, side_info_bits = int.from_bytes(head[4:]), 8 * len(head[4:])

    def field(place: int, bits: int) -> int:
        return side_info >> side_info_bits - place - bits & (1 << bits) - 1

    start = slot_start - field(0, layout.begin_bits)
    main_data_bytes = (sum(field(place, 12) for place in layout.length_places) + 7) // 8
    main_data = bytes(main[start : start + main_data_bytes])
    assert start >= 0
    assert len(main_data) == main_data_bytes
    header = int.from_bytes(head[:4]) & ~0xF200
    rest_bits = side_info_bits - layout.begin_bits
    return Frame(header, field(layout.begin_bits, rest_bits), main_data)
