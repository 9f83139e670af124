from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain

import numpy as np
import pytest

from shared.errors import EncodeFailed
from tests.worker.mp3.mp3_material import (
    Sound,
    attacks,
    decode,
    extremes,
    in_chunks,
    music,
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


@pytest.mark.slow
@pytest.mark.parametrize(("material", "quality"), MATERIAL)
def test_joined_segments_equal_one_pass(material: Callable[[], Sound], quality: int) -> None:
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


@pytest.mark.parametrize(("rate_hz", "frame_samples"), [(44100, 1152), (22050, 576), (8000, 576)])
def test_lame_makes_the_frames_needed(rate_hz: int, frame_samples: int) -> None:
    tone = music(1, rate_hz, 1)
    near_whole_frames = [frame_samples * 3 + extra for extra in (-1, 0, 1, 47, 48)]
    for samples in [1, 4, 20, 47, 48, 575, 576, 577, *near_whole_frames, rate_hz]:
        made = list(split_frames([tone.encode("-b:a", "64k", end=samples)]))
        assert len(made) == frames_needed(samples, frame_samples), samples


@pytest.mark.parametrize("chunk_bytes", [1, 417, 1 << 20])
def test_chunk_boundaries_do_not_matter(chunk_bytes: int) -> None:
    mp3 = music(1, 44100, 2).encode("-b:a", "128k")
    split = list(split_frames(in_chunks(mp3, chunk_bytes)))
    assert b"".join(split) == mp3
    assert {len(frame) for frame in split} == {417, 418}


def test_an_incomplete_segment_is_refused() -> None:
    whole = one_pass(music(1, 44100, 2), 2)
    assert list(drop_run_in(whole, 10, len(whole) - 10)) == whole[10:]
    with pytest.raises(EncodeFailed):
        list(drop_run_in(whole, 10, len(whole) - 9))


def test_the_stream_is_read_to_its_end() -> None:
    whole = iter(one_pass(music(1, 44100, 2), 2))
    assert len(list(drop_run_in(whole, 2, 5))) == 5
    assert list(whole) == []


def test_an_incomplete_frame_is_refused() -> None:
    mp3 = music(1, 44100, 2).encode_vbr(2, reservoir=False)
    with pytest.raises(EncodeFailed):
        list(split_frames([mp3[:-1]]))


def test_frames_of_another_format_are_refused() -> None:
    stereo, mono = (music(1, 44100, channels).encode("-b:a", "64k") for channels in (2, 1))
    with pytest.raises(EncodeFailed):
        list(split_frames([stereo, mono]))


def test_junk_is_refused_where_it_starts() -> None:
    stream = iter([music(1, 44100, 2).encode("-b:a", "128k"), *[b"\0" * 65536] * 100])
    with pytest.raises(EncodeFailed):
        list(split_frames(stream))
    assert len(list(stream)) == 99
