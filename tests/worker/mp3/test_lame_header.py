import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from mutagen.mp3 import MP3, BitrateMode

from shared.errors import EncodeFailed
from tests.worker.bounds import bounded
from tests.worker.mp3.mp3_material import Sound, decode, in_chunks, music, sound
from tests.worker.mp3.reservoir import frame_bytes
from worker.mp3.frames import layer3_header, split_frames
from worker.mp3.lame_header import Summary, header_frame, summarise
from worker.mp3.reservoir import pack

VBR = 2
NAME = "LAME4.1a"
READ_WITH_MUTAGEN: Any = MP3  # mutagen has no types
RATES_AND_CHANNELS = [
    *[(44100, 2), (48000, 1), (48000, 2), (32000, 2), (24000, 2), (22050, 1), (16000, 2)],
    *[(12000, 1), (11025, 2), (8000, 1), (8000, 2)],
]


def parts_of(
    source: Sound, folder: Path, quality: int | None, count: int = 1, bitrate_kbps: int = 64
) -> list[Path]:
    if quality is None:
        encoded = list(split_frames([source.encode("-b:a", f"{bitrate_kbps}k")]))
    else:
        encoded = list(split_frames([source.encode_vbr(quality, reservoir=False)]))
    paths = [folder / f"{number}.part" for number in range(count)]
    for path, share in zip(paths, np.array_split(np.arange(len(encoded)), count), strict=True):
        chosen = [encoded[index] for index in share]
        path.write_bytes(b"".join(chosen if quality is None else pack(chosen)))
    return paths


def assembled(
    source: Sound,
    folder: Path,
    quality: int | None = VBR,
    count: int = 1,
    bitrate_kbps: int = 64,
) -> Path:
    parts = parts_of(source, folder, quality, count, bitrate_kbps)
    mp3 = folder / "assembled.mp3"
    header = header_frame(summarise(parts), len(source.samples), quality, NAME)
    mp3.write_bytes(header + b"".join(part.read_bytes() for part in parts))
    return mp3


def has_length_everywhere(mp3: Path, source: Sound) -> None:
    by_ffmpeg = decode(mp3, source.channels)
    by_libsndfile, rate_hz = soundfile.read(mp3, always_2d=True)
    assert by_ffmpeg.shape == by_libsndfile.shape == source.samples.shape
    assert rate_hz == source.rate_hz


@pytest.mark.slow
@pytest.mark.parametrize("quality", [VBR, None], ids=["VBR", "CBR"])
@pytest.mark.parametrize(("rate_hz", "channels"), RATES_AND_CHANNELS)
def test_the_mp3_keeps_the_length(
    tmp_path: Path, rate_hz: int, channels: int, quality: int | None
) -> None:
    source = music(0.7, rate_hz, channels)
    has_length_everywhere(assembled(source, tmp_path, quality), source)


@pytest.mark.parametrize(
    "samples", [1, 4, 10, 19, 20, 21, 47, 48, 575, 1151, 1152, 1153, 2304, 2351, 2352, 3456]
)
def test_short_clips_keep_their_length(tmp_path: Path, samples: int) -> None:
    clip = Sound(music(1, 44100, 2).samples[:samples], 44100)
    has_length_everywhere(assembled(clip, tmp_path), clip)


@pytest.mark.skipif(not shutil.which("mpg123"), reason="mpg123 is not installed")
@pytest.mark.parametrize(("rate_hz", "channels"), RATES_AND_CHANNELS)
def test_mpg123_plays_every_sample(tmp_path: Path, rate_hz: int, channels: int) -> None:
    source = music(0.7, rate_hz, channels)
    command = [shutil.which("mpg123") or "", "-q", "-s", str(assembled(source, tmp_path))]
    played = subprocess.run(command, capture_output=True, check=True).stdout
    assert len(played) == source.samples.nbytes


def test_samples_keep_their_position(tmp_path: Path) -> None:
    time = np.arange(3 * 44100)[:, None] / 44100
    source = sound(0.5 * np.sin(2 * np.pi * (200 + 300 * time) * time), 44100)
    decoded, _ = soundfile.read(assembled(source, tmp_path, 0, count=7), always_2d=True)
    error = decoded - source.samples / 32768
    assert np.sqrt(np.mean(error**2)) < 0.002


@pytest.mark.parametrize("quality", [VBR, None], ids=["VBR", "CBR"])
def test_mutagen_reads_the_lame_fields(tmp_path: Path, quality: int | None) -> None:
    source = music(10, 44100, 2)
    mp3 = assembled(source, tmp_path, quality, count=3)
    info = READ_WITH_MUTAGEN(mp3).info
    expected = BitrateMode.CBR if quality is None else BitrateMode.VBR
    assert (info.bitrate_mode, info.encoder_info) == (expected, "LAME 4.1 (alpha)")
    assert info.length == pytest.approx(10, abs=1e-6)


def test_the_header_names_the_encoder(tmp_path: Path) -> None:
    header = next(split_frames([assembled(music(1, 44100, 2), tmp_path).read_bytes()]))
    assert header[36 + 120 :].startswith(NAME.encode() + b"\0")


@pytest.mark.parametrize(("quality", "field"), [(0, 97), (VBR, 77), (9, 7), (None, 56)])
def test_the_quality_field_includes_the_effort(
    tmp_path: Path, quality: int | None, field: int
) -> None:
    header = next(split_frames([assembled(music(1, 44100, 1), tmp_path, quality).read_bytes()]))
    assert int.from_bytes(header[4 + 17 + 116 :][:4]) == field


@pytest.mark.parametrize(
    ("rate_hz", "channels", "bitrate_kbps", "fields", "header_kbps"),
    [
        *[(44100, 1, 64, 0xF, 64), (44100, 1, 48, 0xB, 48), (48000, 2, 32, 0xB, 32)],
        *[(16000, 2, 16, 0x3, 16), (8000, 2, 8, 0x3, 8), (22050, 1, 8, 0x3, 24)],
    ],
)
def test_small_cbr_headers_keep_the_bitrate(
    tmp_path: Path, rate_hz: int, channels: int, bitrate_kbps: int, fields: int, header_kbps: int
) -> None:
    source = music(0.7, rate_hz, channels)
    mp3 = assembled(source, tmp_path, quality=None, bitrate_kbps=bitrate_kbps)
    has_length_everywhere(mp3, source)
    header = next(split_frames([mp3.read_bytes()]))
    tag = header[header.index(b"Info") :]
    assert int.from_bytes(tag[4:8]) == fields
    tag_bytes = 52 + (100 if fields & 4 else 0) + (4 if fields & 8 else 0)
    assert int.from_bytes(tag[tag_bytes - 8 : tag_bytes - 4]) == len(mp3.read_bytes())
    assert READ_WITH_MUTAGEN(mp3).info.bitrate_mode == BitrateMode.CBR
    assert (b"LAME" in header) == (len(header) >= 192), "eyeD3 looks for LAME's checksum at 190"
    assert layer3_header(header).bitrate_kbps == header_kbps


def test_the_header_describes_the_file(tmp_path: Path) -> None:
    source = music(10, 44100, 2)
    mp3 = assembled(source, tmp_path, count=3).read_bytes()
    header, *audio = split_frames([mp3])
    tag = header[36:]
    assert tag[:4] == b"Xing"
    assert int.from_bytes(tag[8:12]) == len(audio) == 10 * 44100 // 1152 + 2
    assert int.from_bytes(tag[12:16]) == int.from_bytes(tag[148:152]) == len(mp3)
    assert int.from_bytes(tag[152:154]) == crc16_arc(b"".join(audio))
    assert int.from_bytes(tag[154:156]) == crc16_arc(header[: 36 + 154])


def crc16_arc(data: bytes) -> int:
    """Compute the CRC by its definition: polynomial 0x8005, reflected, from 0."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 * (crc & 1)
    return crc


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.05, 2, 70])
def test_the_table_of_contents_is_exact(tmp_path: Path, seconds: float) -> None:
    mp3 = assembled(music(seconds, 44100, 1), tmp_path).read_bytes()
    header, *audio = split_frames(in_chunks(mp3))
    starts = np.cumsum([len(header), *map(len, audio)])[:-1]
    table = np.frombuffer(header[4 + 17 + 16 :][:100], np.uint8)
    assert table[0] == 0
    wanted = starts[len(audio) * np.arange(1, 100) // 100]
    np.testing.assert_allclose(table[1:] / 256 * len(mp3), wanted, atol=len(mp3) / 200)


def test_a_lost_frame_is_refused(tmp_path: Path) -> None:
    source = music(1, 44100, 2)
    (part,) = parts_of(source, tmp_path, None)
    part.write_bytes(b"".join(list(split_frames([part.read_bytes()]))[:-1]))
    with pytest.raises(EncodeFailed):
        header_frame(summarise([part]), len(source.samples), None, NAME)


def test_parts_of_different_formats_are_refused(tmp_path: Path) -> None:
    folders = [tmp_path / "mono", tmp_path / "stereo"]
    for folder, channels in zip(folders, (1, 2), strict=True):
        folder.mkdir()
        parts_of(music(0.2, 44100, channels), folder, VBR)
    with pytest.raises(EncodeFailed):
        summarise([folder / "0.part" for folder in folders])


def test_no_audio_is_refused() -> None:
    with pytest.raises(EncodeFailed):
        header_frame(summarise([]), 0, VBR, NAME)


@dataclass(frozen=True)
class Parts:
    """The contents of some part files, and their number of frames if all are valid."""

    contents: list[bytes]
    frames: int | None
    samples_per_frame: int


@st.composite
def headers(draw: st.DrawFn, version: int, rate: int, *, is_mono: bool) -> bytes:
    """Draw headers of one format, with any bitrate and any values in the other fields."""
    mode = 3 if is_mono else draw(st.integers(0, 2))
    crc, padding, private = (
        draw(st.integers(0, 1)),
        draw(st.integers(0, 1)),
        draw(st.integers(0, 1)),
    )
    fields = [(0x7FF, 21), (version, 19), (1, 17), (crc, 16), (draw(st.integers(1, 14)), 12)]
    fields += [(rate, 10), (padding, 9), (private, 8), (mode, 6), (draw(st.integers(0, 63)), 0)]
    return sum(value << shift for value, shift in fields).to_bytes(4)


@st.composite
def any_parts(draw: st.DrawFn) -> Parts:
    version, rate = draw(st.sampled_from([0, 2, 3])), draw(st.integers(0, 2))
    of_the_format = headers(version, rate, is_mono=draw(st.booleans()))
    chosen = draw(st.lists(st.lists(of_the_format, max_size=12), max_size=6))
    contents = [b"".join(map(_filled, part)) for part in chosen]
    count: int | None = sum(map(len, chosen))
    if draw(st.booleans()) and contents:
        index = draw(st.integers(0, len(contents) - 1))
        place = draw(st.integers(0, len(contents[index])))
        cut_off = contents[index][:place]
        contents[index] = cut_off + draw(
            st.binary(max_size=2000)
            | st.sampled_from([b"", contents[index], b"\xff\xfb\x90\x64", b"\xff" * 5000])
        )
        count = None
    return Parts(contents, count, 1152 if version == 3 else 576)


def _filled(header: bytes) -> bytes:
    return header.ljust(frame_bytes(int.from_bytes(header)), header[3:])


@pytest.mark.exhaustive
@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(
    parts=any_parts(),
    padding=st.integers(-9, 4200) | st.integers(529, 4095),
    quality=st.none() | st.integers(0, 9),
)
def test_any_parts_get_a_header_or_are_refused(
    parts: Parts, padding: int, quality: int | None
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{number}.part" for number in range(len(parts.contents))]
        for path, content in zip(paths, parts.contents, strict=True):
            path.write_bytes(content)
        with bounded(processor_s=10):
            try:
                summary = summarise(paths)
                samples = summary.frames * parts.samples_per_frame - 576 - padding
                assume(not summary.frames or samples > 46)  # a lead-in makes shorter ones longer
                header = header_frame(summary, samples, quality, NAME)
            except EncodeFailed:
                assert not parts.frames or not 529 <= padding <= 4095
                return
    assert 529 <= padding <= 4095
    assert summary.frames == (summary.frames if parts.frames is None else parts.frames)
    audio = b"".join(parts.contents)
    assert len(list(split_frames([header + audio]))) == summary.frames + 1
    assert len(header) == frame_bytes(int.from_bytes(header[:4]))
    tag = header[header.index(b"Info" if quality is None else b"Xing") :]
    assert int.from_bytes(tag[8:12]) == summary.frames
    assert int.from_bytes(tag[12:16]) == len(header + audio)
    flags = tag[7]
    delay_at = 16 + (100 if flags & 4 else 0) + (4 if flags & 8 else 0) + 21
    assert int.from_bytes(tag[delay_at : delay_at + 3]) == 576 << 12 | padding


@settings(deadline=None)
@given(
    parts=st.lists(st.binary(max_size=3000), max_size=4),
    samples=st.integers(-(2**70), 2**70),
    quality=st.none() | st.integers(0, 9),
)
def test_random_bytes_never_get_a_header(
    parts: list[bytes], samples: int, quality: int | None
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{number}.part" for number in range(len(parts))]
        for path, content in zip(paths, parts, strict=True):
            path.write_bytes(content)
        with bounded(processor_s=10), pytest.raises(EncodeFailed):
            header_frame(summarise(paths), samples, quality, NAME)


@pytest.mark.parametrize("count", [2**31, 2**32 - 1, 2**32, 2**40])
@pytest.mark.parametrize("quality", [VBR, None], ids=["VBR", "CBR"])
def test_huge_counts_are_refused_or_capped(count: int, quality: int | None) -> None:
    per_mark = count // 1024
    marks = [number * per_mark * 417 for number in range(1026)]
    summary = Summary(b"\xff\xfb\x90\x64", count, count * 417, 0, marks, per_mark)
    try:
        header = header_frame(summary, count * 1152 - 2000, quality, NAME)
    except EncodeFailed:
        return
    assert len(list(split_frames([header]))) == 1


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize(
    ("frame", "mb"),
    [(b"\xff\xf3\x14\xc4" + bytes(20), 4), (b"\xff\xfb\xe8\x44" + bytes(1436), 100)],
    ids=["smallest", "largest"],
)
def test_summarising_takes_linear_time(tmp_path: Path, frame: bytes, mb: int) -> None:
    """Linear time takes a second; quadratic time would take minutes."""
    count = (1 << 20) // len(frame)
    part = tmp_path / "0.part"
    part.write_bytes(count * frame)
    with bounded(processor_s=60, memory_bytes=8 << 20):
        summary = summarise(repeat(part, mb))
        header = header_frame(
            summary, mb * count * layer3_header(frame).format.samples_per_frame - 1500, VBR, NAME
        )
    assert len(list(split_frames([header]))) == 1
    assert (summary.frames, summary.audio_bytes) == (mb * count, mb * part.stat().st_size)
    assert len(summary.marks) <= 2048
