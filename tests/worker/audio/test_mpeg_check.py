"""Damage in MP3 audio that the decoder conceals is counted."""

from pathlib import Path

import numpy as np
import pytest
from fastcrc import crc16

from shared.mpeg import parse_header
from tests import wavs
from tests.worker.audio.test_encode import through_ffmpeg
from tests.worker.conversion import convert, snr_db, sweep
from worker.audio.flaws import Flaws
from worker.audio.mpeg_check import FrameCheck

RATE_HZ = 44_100
FORMATS = [
    (44_100, 2, ["-q:a", "2"]),
    (44_100, 1, ["-b:a", "64k"]),
    (48_000, 2, ["-b:a", "320k"]),
    (22_050, 2, ["-q:a", "5"]),
    (16_000, 1, ["-b:a", "32k"]),
]


def mp3_of(folder: Path, rate_hz: int, channels: int, options: list[str]) -> bytes:
    samples = sweep(2 * rate_hz, channels, rate_hz)
    samples += np.random.default_rng(1).normal(0, 0.05, samples.shape)
    plain = ["-write_xing", "0", "-id3v2_version", "0"]
    return through_ffmpeg(folder / "a.mp3", samples, rate_hz, "libmp3lame", *options, *plain)


def frames_of(mp3: bytes) -> list[bytes]:
    frames, at = [], 0
    while header := parse_header(mp3[at : at + 4]):
        frames.append(mp3[at : at + header.frame_bytes])
        at += header.frame_bytes
    assert at == len(mp3)
    return frames


def flaws_of(mp3: bytes, *, expected: int = 0, step: int = 10_000) -> dict[str, int]:
    flaws = Flaws()
    check = FrameCheck(flaws, expected)
    for at in range(0, len(mp3), step):
        check.read(mp3[at : at + step])
    check.finish()
    return flaws.counts()


def wav_of(mp3: bytes, channels: int = 2) -> bytes:
    fmt = wavs.fmt_payload(tag=0x55, channels=channels, bits=0, block_align=1)
    fmt += b"\x0c\0\1\0\2\0\0\0\0\0\1\0\x51\4"
    return wavs.wrap([wavs.chunk(b"fmt ", fmt), wavs.chunk(b"data", mp3)])


@pytest.mark.parametrize(("rate_hz", "channels", "options"), FORMATS)
@pytest.mark.parametrize("step", [1, 1000, 1 << 18])
def test_intact_frames_have_no_flaws(
    tmp_path: Path, rate_hz: int, channels: int, options: list[str], step: int
) -> None:
    assert flaws_of(mp3_of(tmp_path, rate_hz, channels, options), step=step) == {}


@pytest.mark.parametrize(("rate_hz", "channels", "options"), FORMATS)
def test_damaged_frames_are_counted(
    tmp_path: Path, rate_hz: int, channels: int, options: list[str]
) -> None:
    frames = frames_of(mp3_of(tmp_path, rate_hz, channels, options))
    frame_samples = 1152 if rate_hz >= 32_000 else 576
    middle = next(n for n, frame in enumerate(frames) if n > 20 and frame[4])
    without_reservoir = flaws_of(b"".join(frames[middle:]))
    assert without_reservoir.keys() == {"damaged_samples"}
    assert without_reservoir["damaged_samples"] % frame_samples == 0
    cut = frames[middle][: len(frames[middle]) // 2]
    assert flaws_of(b"".join(frames[:middle]) + cut) == {"damaged_samples": frame_samples}


def test_bytes_between_and_after_the_frames_are_counted(tmp_path: Path) -> None:
    frames = frames_of(mp3_of(tmp_path, *FORMATS[0]))
    tag = b"TAG" + b"Title".ljust(125, b"\0") + b"!"
    assert flaws_of(b"".join(frames) + tag) == {"stray_bytes": len(tag)}
    assert flaws_of(b"".join(frames) + bytes(2000)) == {}
    hole = b"".join(frames[:20]) + bytes(300) + b"".join(frames[20:])
    assert flaws_of(hole)["stray_bytes"] == 300
    assert flaws_of(bytes(300) + b"".join(frames)) == {}


def test_another_format_inside_the_stream_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    joined = mp3_of(tmp_path, *FORMATS[0]) + mp3_of(tmp_path / "b", *FORMATS[3])
    assert flaws_of(joined)["contradicting_formats"] == 1


def with_crcs(frames: list[bytes]) -> list[bytes]:
    """Add CRCs to frames that end in at least two unused bytes."""
    protected = []
    for frame in frames:
        assert not any(frame[-2:])
        head = frame[:1] + bytes([frame[1] & 0xFE]) + frame[2:4]
        crc = crc16.cms(head[2:4] + frame[4:36]).to_bytes(2)
        protected.append(head + crc + frame[4:-2])
    return protected


def test_a_wrong_crc_is_counted(tmp_path: Path) -> None:
    quiet = ["-b:a", "320k", "-reservoir", "0", "-write_xing", "0", "-id3v2_version", "0"]
    samples = sweep(RATE_HZ, 2, RATE_HZ) * 0.01
    mp3 = through_ffmpeg(tmp_path / "a.mp3", samples, RATE_HZ, "libmp3lame", *quiet)
    frames = with_crcs(frames_of(mp3))
    assert flaws_of(b"".join(frames)) == {}
    frames[5] = frames[5][:30] + bytes([frames[5][30] ^ 1]) + frames[5][31:]
    assert flaws_of(b"".join(frames))["damaged_samples"] == 1152


def test_stray_bytes_do_not_slow_the_check() -> None:
    flaws = flaws_of(b"\xff\xfb\x90\x64" * 500_000, step=1 << 18)
    assert flaws.get("damaged_samples", 0) == 0


def test_a_check_that_gave_up_reports_no_absent_frames(tmp_path: Path) -> None:
    frames = frames_of(mp3_of(tmp_path, *FORMATS[0]))
    hole = b"".join(frames[:20]) + b"\1" * (1 << 19) + b"".join(frames[20:])
    assert flaws_of(hole, expected=len(frames) - 1).keys() == {"stray_bytes"}


def test_damaged_frames_are_reported(tmp_path: Path) -> None:
    frames = frames_of(mp3_of(tmp_path, *FORMATS[0]))
    tag = b"TAG" + b"x" * 125
    middle = next(n for n, frame in enumerate(frames) if n > 20 and frame[4])
    converted = convert(tmp_path, wav_of(b"".join(frames[middle:]) + tag))
    damaged, stray = (text for text in converted.warnings if "missing" not in text)
    assert "of the compressed audio are damaged" in damaged
    assert "1152 sample(s) (0.026 s)" in damaged
    assert stray.startswith("At least 128 bytes of the compressed audio belong to no frame")


def test_an_mp3_that_ends_early_keeps_its_last_samples(tmp_path: Path) -> None:
    """Its Xing header declares padding that is not there."""
    samples = sweep(2 * RATE_HZ, 1, RATE_HZ)
    mp3 = through_ffmpeg(tmp_path / "a.mp3", samples, RATE_HZ, "libmp3lame", "-id3v2_version", "0")
    frames = frames_of(mp3)
    converted = convert(tmp_path, wav_of(b"".join(frames[:50]), channels=1))
    (warning,) = converted.warnings
    assert warning.startswith("The MP3 inside the WAV has fewer frames")
    assert f"{(len(frames) - 50) * 1152} sample(s)" in warning
    voices = converted.decoded()
    assert len(voices) == 49 * 1152 - 1105
    assert snr_db(samples[: len(voices) - 600], voices[:-600]) > 20
    assert convert(tmp_path, wav_of(mp3, channels=1)).warnings == []


def test_frames_that_contradict_the_header_are_reported(tmp_path: Path) -> None:
    mp3 = mp3_of(tmp_path, *FORMATS[3])
    told = convert(tmp_path, wav_of(mp3)).info.warnings
    assert any(
        "2 channel(s) and 44100 Hz, but the MP3 inside has 2 and 22050" in text for text in told
    )
    (tmp_path / "b").mkdir()
    same = convert(tmp_path, wav_of(mp3_of(tmp_path / "b", *FORMATS[0])))
    assert not any("but the MP3 inside" in text for text in same.info.warnings)
