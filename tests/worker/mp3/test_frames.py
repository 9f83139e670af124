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
from tests.worker.mp3.mp3_material import (
    Sound,
    attacks,
    decode,
    extremes,
    in_chunks,
    music,
    sound,
    speech,
)
from worker.mp3.frames import drop_run_in, frames_needed, split_frames
from worker.mp3.reservoir import pack

RUN_IN = 64
LOOKAHEAD = 3
SEGMENT_FRAMES = 120
SEGMENT_SAMPLES = SEGMENT_FRAMES * 1152

MATERIAL = [
    pytest.param(partial(music, 12, 44100, 2), 2, id="music"),
    pytest.param(partial(music, 12, 48000, 2), 0, id="music at 48 kHz"),
    pytest.param(partial(music, 12, 32000, 2), 0, id="music in the longest frames"),
    pytest.param(partial(music, 20, 8000, 1), 9, id="music at 8 kHz"),
    pytest.param(partial(speech, 12, 22050), 4, id="speech"),
    pytest.param(partial(extremes, 12, 44100, 2), 2, id="silence and full scale"),
    pytest.param(partial(extremes, 12, 22050, 1), 9, id="silence and full scale at 22 kHz"),
    pytest.param(
        partial(attacks, 12, 44100, 2, SEGMENT_SAMPLES, -1), 2, id="attacks before the cuts"
    ),
    pytest.param(
        partial(attacks, 12, 44100, 2, SEGMENT_SAMPLES, 700), 4, id="attacks after the cuts"
    ),
    pytest.param(
        partial(attacks, 12, 44100, 2, SEGMENT_SAMPLES, 3456), 0, id="attacks past the lookahead"
    ),
]


def one_pass(source: Sound, quality: int) -> list[bytes]:
    return list(split_frames(in_chunks(source.encode_vbr(quality, reservoir=False))))


def segments(source: Sound, quality: int) -> Iterator[list[bytes]]:
    frame_samples = 1152 if source.rate_hz >= 32000 else 576
    needed = frames_needed(len(source.samples), frame_samples)
    for start in range(0, len(source.samples) // frame_samples + 1, SEGMENT_FRAMES):
        is_last = (start + SEGMENT_FRAMES) * frame_samples >= len(source.samples)
        run_in = min(start, RUN_IN)
        stop = needed if is_last else start + SEGMENT_FRAMES
        end = None if is_last else (stop + LOOKAHEAD) * frame_samples
        first = (start - run_in) * frame_samples
        mp3 = source.encode_vbr(quality, reservoir=False, first=first, end=end)
        yield list(drop_run_in(split_frames(in_chunks(mp3)), run_in, stop - start))


@pytest.mark.parametrize(("material", "quality"), MATERIAL)
def test_joined_segments_are_the_one_pass_encode_and_packed_they_decode_to_the_same_samples(
    material: Callable[[], Sound], quality: int
) -> None:
    source = material()
    whole = one_pass(source, quality)
    parts = list(segments(source, quality))
    assert len(parts) >= 3
    assert list(chain.from_iterable(parts)) == whole

    packed = b"".join(b"".join(pack(part)) for part in parts)
    assert len(packed) < len(b"".join(whole))
    samples = decode(packed, source.channels)
    assert np.ptp(samples) > 0.5
    np.testing.assert_array_equal(samples, decode(b"".join(whole), source.channels))


@pytest.mark.parametrize(
    ("material", "quality"),
    [
        (partial(music, 30, 44100, 2), 0),
        (partial(music, 30, 44100, 2), 2),
        (partial(music, 30, 44100, 1), 4),
        (partial(music, 30, 48000, 2), 9),
        (partial(music, 30, 22050, 1), 4),
        (partial(music, 30, 8000, 1), 2),
    ],
)
def test_packed_frames_are_no_larger_than_those_of_lames_own_reservoir(
    material: Callable[[], Sound], quality: int
) -> None:
    source = material()
    packed = b"".join(pack(one_pass(source, quality)))
    assert len(packed) <= len(source.encode_vbr(quality, reservoir=True))


@pytest.mark.parametrize(("rate_hz", "frame_samples"), [(44100, 1152), (22050, 576), (8000, 576)])
def test_the_frames_needed_are_those_that_lame_makes(rate_hz: int, frame_samples: int) -> None:
    tone = music(1, rate_hz, 1)
    near_whole_frames = [frame_samples * 3 + extra for extra in (-1, 0, 1, 47, 48)]
    for samples in [1, 4, 20, 47, 48, 575, 576, 577, *near_whole_frames, rate_hz]:
        made = list(split_frames([tone.encode("-b:a", "64k", end=samples)]))
        assert len(made) == frames_needed(samples, frame_samples), samples


@pytest.mark.parametrize("chunk_bytes", [1, 417, 1 << 20])
def test_frames_do_not_depend_on_where_the_stream_was_cut_into_chunks(chunk_bytes: int) -> None:
    mp3 = music(1, 44100, 2).encode("-b:a", "128k")
    split = list(split_frames(in_chunks(mp3, chunk_bytes)))
    assert b"".join(split) == mp3
    assert {len(frame) for frame in split} == {417, 418}


def test_a_segment_that_ends_early_is_refused() -> None:
    whole = one_pass(music(1, 44100, 2), 2)
    assert list(drop_run_in(whole, 10, len(whole) - 10)) == whole[10:]
    with pytest.raises(EncodeFailed):
        list(drop_run_in(whole, 10, len(whole) - 9))


def test_what_follows_a_segment_is_read_to_its_end() -> None:
    whole = iter(one_pass(music(1, 44100, 2), 2))
    assert len(list(drop_run_in(whole, 2, 5))) == 5
    assert list(whole) == []


def test_a_stream_that_ends_within_a_frame_is_refused() -> None:
    mp3 = music(1, 44100, 2).encode_vbr(2, reservoir=False)
    with pytest.raises(EncodeFailed):
        list(split_frames([mp3[:-1]]))


def test_frames_of_another_format_are_refused() -> None:
    stereo, mono = (music(1, 44100, channels).encode("-b:a", "64k") for channels in (2, 1))
    with pytest.raises(EncodeFailed):
        list(split_frames([stereo, mono]))


def test_frames_that_lean_on_the_reservoir_already_are_not_packed_again() -> None:
    with pytest.raises(EncodeFailed):
        list(pack(split_frames([music(1, 44100, 2).encode_vbr(2, reservoir=True)])))


def test_junk_is_refused_where_it_starts() -> None:
    stream = iter([music(1, 44100, 2).encode("-b:a", "128k"), *[b"\0" * 65536] * 100])
    with pytest.raises(EncodeFailed):
        list(split_frames(stream))
    assert len(list(stream)) == 99


class Kind(NamedTuple):
    """A kind of frame. Bits are counted from the start of the side info."""

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
    """What a decoder reads, by ISO/IEC 11172-3, 2.4.2.7."""
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
def test_every_frame_finds_its_own_main_data_in_the_reservoir(
    data: st.DataObject, kind: Kind, crc: bool
) -> None:
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
def test_no_bytes_whatever_pass_unnoticed_or_break_the_packer(
    prefix: bytes, junk: list[bytes]
) -> None:
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


@pytest.mark.parametrize("frame", [SMALLEST_FRAME, LARGEST_FRAME], ids=["smallest", "largest"])
@pytest.mark.parametrize("chunk_bytes", [7, 1 << 16, 1 << 22])
def test_a_long_stream_is_split_and_packed_in_linear_time_and_little_memory(
    frame: bytes, chunk_bytes: int
) -> None:
    """A second or two, where quadratic time would be minutes; in chunks that hold a bit of a frame or thousands."""
    count = (1 << 19) // len(frame) // (10 if chunk_bytes < len(frame) else 1)
    stream = list(in_chunks(count * frame, chunk_bytes))
    with bounded(processor_s=60, memory_bytes=8 << 20):
        assert (
            sum(1 for _ in pack(split_frames(chain.from_iterable(repeat(stream, 4))))) == 4 * count
        )


def test_an_endless_stream_is_packed_in_constant_memory() -> None:
    given_back = 0

    def endless() -> Iterator[bytes]:
        silence = one_pass(sound(np.zeros((24000, 2)), 24000), 9)
        for taken, frame in enumerate(cycle(silence)):
            assert taken - given_back < 100
            yield frame

    for _ in islice(pack(endless()), 1000):
        given_back += 1
