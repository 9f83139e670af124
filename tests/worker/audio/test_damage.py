"""Damaged samples and blocks are repaired if they can be, and the user is told their number."""

import re
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from shared.mp3_options import Options
from shared.wav.mpeg_streams import first_frame
from tests import wavs
from tests.worker.audio.test_encode import through_ffmpeg
from tests.worker.conversion import Conversion, Voices, convert, snr_db, sweep

RATE_HZ = 44100


def about(converted: Conversion, words: str) -> list[str]:
    return [warning for warning in converted.warnings if words in warning]


def floats(values: Voices, bits: int = 32, container: str = "RIFF") -> bytes:
    return wavs.build(values, codec="float", bits=bits, container=container)


@pytest.mark.slow
@pytest.mark.parametrize("container", ["RIFF", "RIFX"])
@pytest.mark.parametrize("bits", [32, 64])
def test_nan_becomes_counted_silence(tmp_path: Path, bits: int, container: str) -> None:
    samples = sweep(400_000, 2, RATE_HZ)
    samples[1000:1441, 0] = np.nan
    samples[1000:1100, 1] = np.nan
    samples[300_000:301_000] = np.nan
    converted = convert(tmp_path, floats(samples, bits, container), segment_s=2)
    assert len(converted.parts) > 2
    assert about(converted, "NaN") == [
        "1441 sample(s) (0.033 s) are not numbers (NaN). They were converted as silence."
    ]
    assert np.abs(converted.by_ffmpeg()[300_300:300_700]).max() < 0.01


@pytest.mark.parametrize("channels", [1, 2])
def test_opposite_infinite_samples_cancel_out(tmp_path: Path, channels: int) -> None:
    samples = sweep(20_000, 2, RATE_HZ)
    samples[5000:5100] = np.inf, -np.inf
    samples[6000:6010] = 3e38, -3e38
    converted = convert(tmp_path, floats(samples), Options(channels=channels, gain_db=1.0))
    assert about(converted, "infinite") == [
        "110 sample(s) (0.002 s) are infinite or extremely high. They were limited to 8 times full scale."
    ]
    assert all(np.isfinite(peak or 0) for peak in converted.peaks_db)
    if channels == 1:
        assert np.abs(converted.by_ffmpeg()).max() < 1


@pytest.mark.parametrize(("codec", "highest"), [("adpcm_ima_wav", 88), ("adpcm_ms", 6)])
def test_a_damaged_adpcm_block_keeps_the_time(tmp_path: Path, codec: str, highest: int) -> None:
    samples = sweep(RATE_HZ, 2, RATE_HZ)
    wav = bytearray(through_ffmpeg(tmp_path / "a.wav", samples, RATE_HZ, codec))
    whole = convert(tmp_path, bytes(wav))
    assert whole.warnings == []
    fmt = whole.info.fmt
    block = whole.info.data_offset + 10 * fmt.block_align
    wav[block + 2 if codec == "adpcm_ima_wav" else block] = highest + 1
    damaged = convert(tmp_path, bytes(wav))
    count = fmt.block_samples or 0
    assert about(damaged, "damaged") == [
        f"Blocks of the compressed audio are damaged: {count} sample(s) ({count / RATE_HZ:.3f} s) were converted "
        "as silence."
    ]
    after = slice(12 * count, None)
    assert snr_db(whole.decoded()[after], damaged.decoded()[after]) > 20


@pytest.mark.parametrize("codec", [["libmp3lame"], ["mp2"], ["ac3"], ["flac"], ["wmav2"]])
def test_lost_compressed_audio_is_reported(tmp_path: Path, codec: list[str]) -> None:
    samples = sweep(3 * RATE_HZ, 2, RATE_HZ)
    wav = bytearray(through_ffmpeg(tmp_path / "a.wav", samples, RATE_HZ, *codec))
    assert about(convert(tmp_path, bytes(wav)), "damaged") == []
    middle = len(wav) // 2
    wav[middle : middle + 5000] = b"\xff" * 5000
    told = about(convert(tmp_path, bytes(wav)), "damaged")
    assert ["are missing" in warning for warning in told].count(True) == 1


def test_a_fact_that_contradicts_the_audio_is_reported(tmp_path: Path) -> None:
    samples = sweep(RATE_HZ, 1, RATE_HZ)
    wav = bytearray(through_ffmpeg(tmp_path / "a.wav", samples, RATE_HZ, "adpcm_ima_wav"))
    at = wav.index(b"fact") + 8
    wav[at : at + 4] = (2 * RATE_HZ).to_bytes(4, "little")
    (warning,) = about(convert(tmp_path, bytes(wav)), "fact")
    assert warning.startswith("The fact chunk says 88200 sample(s) (2.000 s), but the audio has")


@pytest.mark.parametrize("codec", ["ac3", "flac"])
@pytest.mark.parametrize(("channels", "rate_hz"), [(2, 48_000), (1, 48_000), (2, 44_100)])
def test_a_format_that_contradicts_the_header_is_reported(
    tmp_path: Path, codec: str, channels: int, rate_hz: int
) -> None:
    wav = bytearray(through_ffmpeg(tmp_path / "a.wav", sweep(48_000, 2, 48_000), 48_000, codec))
    struct.pack_into("<HI", wav, wav.index(b"fmt ") + 10, channels, rate_hz)
    told = about(convert(tmp_path, bytes(wav)), "than the WAV's header says")
    assert len(told) == ((channels, rate_hz) != (2, 48_000))


def test_a_vbri_frame_is_cut_off(tmp_path: Path) -> None:
    samples = sweep(RATE_HZ, 1, RATE_HZ)
    mp3 = through_ffmpeg(
        tmp_path / "a.mp3",
        samples,
        RATE_HZ,
        "libmp3lame",
        "-write_xing",
        "0",
        "-id3v2_version",
        "0",
    )
    start, header = first_frame(mp3[:4096])  # type: ignore[misc]
    assert start == 0
    vbri = mp3[:4] + bytes(32) + b"VBRI" + bytes(header.frame_bytes - 40)
    fmt = wavs.fmt_payload(tag=0x55, channels=1, bits=0, block_align=1)
    fmt += struct.pack("<HHIHHH", 12, 1, 2, 0, 1, 1105)
    wav = wavs.wrap([wavs.chunk(b"fmt ", fmt), wavs.chunk(b"data", vbri + mp3)])
    converted = convert(tmp_path, wav)
    (warning,) = converted.info.warnings
    assert "VBRI" in warning
    assert f"{1152 + 1105} samples" in warning
    voices = converted.decoded()[:40_000]
    assert snr_db(samples[:40_000], voices) > 20


def test_a_tag_inside_the_mp3_data_is_not_audio(tmp_path: Path) -> None:
    samples = sweep(RATE_HZ, 1, RATE_HZ)
    mp3 = through_ffmpeg(tmp_path / "a.mp3", samples, RATE_HZ, "libmp3lame", "-id3v2_version", "0")
    tag = b"ID3\4\0\0" + bytes([0, 2, 0, 0]) + b"PRIV" + bytes([0, 1, 0x7F, 0x76, 0, 0])
    tag += b"\xff\xfb\x90" * (32_758 // 3) + bytes(32_758 % 3)
    fmt = wavs.fmt_payload(tag=0x55, channels=1, bits=0, block_align=1)
    fmt += struct.pack("<HHIHHH", 12, 1, 2, 0, 1, 0)
    wav = wavs.wrap([wavs.chunk(b"fmt ", fmt), wavs.chunk(b"data", tag + mp3)])
    converted = convert(tmp_path, wav)
    assert converted.info.chunks[0].size == len(tag)
    voices = converted.decoded()
    assert len(voices) == RATE_HZ
    assert snr_db(samples, voices) > 20
    assert about(converted, "damaged") == []


def test_surround_in_ac3_is_mixed_by_its_speakers(tmp_path: Path) -> None:
    """Without a mask its channels would count as tracks, and the LFE would be heard."""
    samples = np.zeros((48_000, 6))
    samples[:, 0] = sweep(48_000, 1, 48_000)[:, 0]
    converted = convert(tmp_path, through_ffmpeg(tmp_path / "a.wav", samples, 48_000, "ac3"))
    left, right = np.abs(converted.decoded()[5000:-5000]).mean(axis=0)
    assert left > 20 * right


@pytest.mark.parametrize("codec", ["ac3", "eac3", "flac"])
def test_a_wrong_checksum_is_reported(tmp_path: Path, codec: str) -> None:
    """A single bit changes the sound, but the decoder goes on."""
    samples = sweep(48_000, 2, 48_000)
    wav = bytearray(through_ffmpeg(tmp_path / "a.wav", samples, 48_000, codec))
    wav[len(wav) // 2] ^= 1
    (warning,) = about(convert(tmp_path, bytes(wav)), "damaged")
    assert "damaged at 1 place(s)" in warning


def test_a_format_that_changes_in_between_is_reported(tmp_path: Path) -> None:
    surround, stereo = (
        through_ffmpeg(tmp_path / f"{count}.wav", sweep(48_000, count, 48_000), 48_000, "ac3")
        for count in (6, 2)
    )
    start = surround[: surround.index(b"data") + 4] + b"\xff" * 4
    parts = [wav[wav.index(b"data") + 8 :] for wav in (surround, surround, surround, stereo)]
    (warning,) = about(convert(tmp_path, start + b"".join(parts)), "changes them")
    assert "All of it was converted to one format" in warning


@pytest.mark.parametrize(("codec", "block_bytes"), [("G.723.1", 24), ("GSM", 65)])
def test_a_last_block_that_is_cut_off_is_reported(
    tmp_path: Path, codec: str, block_bytes: int
) -> None:
    """The header agrees with the data, so only the length of the block shows the damage."""
    path, samples = tmp_path / "a.wav", sweep(8000, 1, 8000)
    if codec == "GSM":
        soundfile.write(path, samples, 8000, subtype="GSM610")
    else:
        through_ffmpeg(path, samples, 8000, "g723_1", "-b:a", "6300")
    wav = bytearray(path.read_bytes())
    assert about(convert(tmp_path, bytes(wav)), "damaged") == []
    at = wav.index(b"data") + 4
    size = (len(wav) - at - 4) // block_bytes * block_bytes - block_bytes // 2
    wav[at : at + 4] = size.to_bytes(4, "little")
    (warning,) = about(convert(tmp_path, bytes(wav[: at + 4 + size])), "damaged")
    assert re.search("240 sample.* were left out|are missing", warning)
