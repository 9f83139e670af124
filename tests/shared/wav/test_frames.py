"""Frames of MP3 and AAC in place of samples."""

import io
import subprocess

import imageio_ffmpeg
import numpy as np
import pytest

from shared.errors import BadWav
from shared.wav import read_wav
from tests import wavs


def compressed(*arguments: str) -> bytes:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", "-", *arguments, "-"]
    wav = wavs.build(wavs.sine(44100, 2))
    return subprocess.run(command, input=wav, check=True, capture_output=True).stdout


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (("-b:a", "320k", "-write_xing", "0", "-id3v2_version", "0", "-f", "mp3"), "MP3"),
        (("-q:a", "4", "-id3v2_version", "0", "-f", "mp3"), "MP3"),
        (("-f", "adts"), "AAC"),
        (("-c:a", "libopus", "-f", "webm"), "Matroska or WebM"),
        (("-c:a", "wmav2", "-f", "asf"), "WMA or WMV"),
    ],
)
@pytest.mark.parametrize("bits", [8, 16])
def test_compressed_audio_under_a_pcm_tag_is_named(
    arguments: tuple[str, ...], name: str, bits: int
) -> None:
    data = wavs.chunk(b"data", compressed(*arguments))
    wav = wavs.wrap([wavs.chunk(b"fmt ", wavs.fmt_payload(bits=bits)), data])
    with pytest.raises(BadWav, match=f"contains {name} instead of samples"):
        read_wav(io.BytesIO(wav), len(wav))


@pytest.mark.parametrize("period_bytes", [144, 192, 276, 384, 417])
def test_square_waves_are_not_frames(period_bytes: int) -> None:
    """The edges of a wave from 0x80 to 0xFF resemble headers of frames, at equal distances."""
    wave = np.where(np.arange(9000) % period_bytes < period_bytes // 2, 255, 128) / 128 - 1
    wav = wavs.build(wave, bits=8)
    assert read_wav(io.BytesIO(wav), len(wav)).samples == 9000


@pytest.mark.parametrize(
    "header", [b"\xff\xfb\x94\0", b"\xff\xf1\x4c\x80\x18\0\0"], ids=["MP3", "AAC"]
)
def test_periods_of_a_tone_are_not_frames(header: bytes) -> None:
    """A frame of 128 kbit/s at 48 kHz has 384 bytes: two periods of a tone of 1 kHz in 16-bit stereo."""
    period = header + bytes(range(192 - len(header)))
    fmt = wavs.chunk(b"fmt ", wavs.fmt_payload(channels=2))
    wav = wavs.wrap([fmt, wavs.chunk(b"data", period * 200)])
    assert read_wav(io.BytesIO(wav), len(wav)).samples == 9600
