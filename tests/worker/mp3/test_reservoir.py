from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain, cycle, islice, repeat
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import EncodeFailed
from tests.worker.bounds import bounded
from tests.worker.mp3.mp3_material import Sound, in_chunks, music, sound
from worker.mp3.frames import split_frames
from worker.mp3.reservoir import pack


def one_pass(source: Sound, quality: int) -> list[bytes]:
    return list(split_frames(in_chunks(source.encode_vbr(quality, reservoir=False))))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("material", "quality"),
    [
        (partial(music, 12, 44100, 2), 0),
        (partial(music, 12, 44100, 2), 2),
        (partial(music, 12, 44100, 1), 4),
        (partial(music, 12, 48000, 2), 9),
        (partial(music, 12, 22050, 1), 4),
        (partial(music, 12, 8000, 1), 2),
    ],
)
def test_packing_is_as_small_as_lame(material: Callable[[], Sound], quality: int) -> None:
    source = material()
    packed = b"".join(pack(one_pass(source, quality)))
    assert len(packed) <= len(source.encode_vbr(quality, reservoir=True))


def test_frames_with_a_reservoir_are_refused() -> None:
    with pytest.raises(EncodeFailed):
        list(pack(split_frames([music(1, 44100, 2).encode_vbr(2, reservoir=True)])))


class Kind(NamedTuple):
    """A kind of frame. Bit positions count from the start of the side info."""

    header: bytes
    frame_bytes: int
    side_info_bytes: int
    begin_bits: int
    length_places: tuple[int, ...]


KINDS = [
    Kind(b"\xff\xfb\x90\x64", 417, 32, 9, (20, 79, 138, 197)),
    Kind(b"\xff\xfb\xe8\x44", 1440, 32, 9, (20, 79, 138, 197)),
    Kind(b"\xff\xfb\x94\xc4", 384, 17, 9, (18, 77)),
    Kind(b"\xff\xf3\x80\x44", 208, 17, 8, (10, 73)),
    Kind(b"\xff\xe3\x88\xc4", 576, 9, 8, (9,)),
]


def field(side_info: bytes, place: int, bits: int) -> int:
    digits = "".join(f"{byte:08b}" for byte in side_info)
    return int(digits[place : place + bits], 2)


def frame_with(kind: Kind, main_data: bytes, *, crc: bool) -> bytes:
    digits = ["0"] * (8 * kind.side_info_bytes)
    left = 8 * len(main_data)
    for place in kind.length_places:
        digits[place : place + 12] = f"{min(left, 4095):012b}"
        left -= min(left, 4095)
    side_info = int("".join(digits), 2).to_bytes(kind.side_info_bytes)
    header = kind.header
    if crc:
        header = bytes((header[0], header[1] & ~1, *header[2:])) + b"??"
    return (header + side_info + main_data).ljust(kind.frame_bytes, b"\xaa")


def main_data_of(packed: list[bytes], kind: Kind) -> Iterator[bytes]:
    """Yield the main data that a decoder reads (ISO/IEC 11172-3, 2.4.2.7)."""
    head_bytes = 4 + kind.side_info_bytes
    stream = b"".join(frame[head_bytes:] for frame in packed)
    slot_start = 0
    for frame in packed:
        side_info = frame[4:head_bytes]
        start = slot_start - field(side_info, 0, kind.begin_bits)
        bits = sum(field(side_info, place, 12) for place in kind.length_places)
        slot_start += len(frame) - head_bytes
        assert 0 <= start <= start + (bits + 7) // 8 <= slot_start
        assert field(side_info, 0, kind.begin_bits) + len(frame) <= 1441
        yield stream[start : start + (bits + 7) // 8]


@settings(deadline=None)
@given(data=st.data(), kind=st.sampled_from(KINDS), crc=st.booleans())
def test_packed_frames_keep_their_main_data(data: st.DataObject, kind: Kind, crc: bool) -> None:
    most = min(kind.frame_bytes - 6 - kind.side_info_bytes, 4095 * len(kind.length_places) // 8)
    length = st.one_of(st.integers(0, most), st.sampled_from([0, most]))
    lengths = data.draw(st.lists(length, min_size=1, max_size=60))
    main_data = [bytes([number]) * length for number, length in enumerate(lengths, start=1)]
    source = [frame_with(kind, piece, crc=crc) for piece in main_data]
    packed = list(split_frames([b"".join(pack(split_frames([b"".join(source)])))]))
    assert list(main_data_of(packed, kind)) == main_data
    assert all(frame[3] == kind.header[3] and frame[1] & 1 for frame in packed)


@settings(deadline=None)
@given(
    prefix=st.sampled_from([b"", *[frame_with(kind, b"sound", crc=False) for kind in KINDS]]),
    junk=st.lists(st.one_of(st.binary(max_size=600), st.sampled_from([k.header for k in KINDS]))),
)
def test_any_bytes_are_packed_or_refused(prefix: bytes, junk: list[bytes]) -> None:
    stream = b"".join([prefix, *junk])
    with bounded(processor_s=10):
        try:
            split = list(split_frames([prefix, *junk]))
            assert b"".join(split) == stream
            assert len(list(split_frames([b"".join(pack(split))]))) == len(split)
        except EncodeFailed:
            assert stream


SMALLEST_FRAME = b"\xff\xf3\x14\xc4" + bytes(20)
LARGEST_FRAME = b"\xff\xfb\xe8\x44" + bytes(1436)


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize("frame", [SMALLEST_FRAME, LARGEST_FRAME], ids=["smallest", "largest"])
@pytest.mark.parametrize("chunk_bytes", [7, 1 << 16, 1 << 22])
def test_packing_takes_linear_time(frame: bytes, chunk_bytes: int) -> None:
    """Linear time takes a second, quadratic time minutes, with chunks of less than a frame and of thousands."""
    count = (1 << 18) // len(frame) // (10 if chunk_bytes < len(frame) else 1)
    stream = list(in_chunks(count * frame, chunk_bytes))
    with bounded(processor_s=60, memory_bytes=8 << 20):
        assert (
            sum(1 for _ in pack(split_frames(chain.from_iterable(repeat(stream, 4))))) == 4 * count
        )


def test_packing_takes_constant_memory() -> None:
    given_back = 0

    def endless() -> Iterator[bytes]:
        silence = one_pass(sound(np.zeros((24000, 2)), 24000), 9)
        for taken, frame in enumerate(cycle(silence)):
            assert taken - given_back < 100
            yield frame

    for _ in islice(pack(endless()), 1000):
        given_back += 1
