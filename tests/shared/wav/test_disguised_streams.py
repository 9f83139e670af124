"""Compressed streams stored as 16-bit PCM, written by ffmpeg."""

import io
import subprocess
from collections.abc import Callable

import imageio_ffmpeg
import numpy as np
import pytest

from shared.errors import BadWav
from shared.wav import read_wav
from tests import wavs


def through_ffmpeg(*options: str) -> bytes:
    tone = wavs.encode(wavs.sine(48000, 2))
    raw = ["-f", "s16le", "-ar", "48000", "-ac", "2", "-i", "-"]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *raw, *options, "-"]
    return subprocess.run(command, input=tone, check=True, capture_output=True).stdout


def wav_of(data: bytes) -> bytes:
    fmt = wavs.fmt_payload(channels=2, sample_rate_hz=48000)
    return wavs.wrap([wavs.chunk(b"fmt ", fmt), wavs.chunk(b"data", data)])


def swapped(stream: bytes) -> bytes:
    return np.frombuffer(stream[: len(stream) // 2 * 2], ">u2").astype("<u2").tobytes()


DTS = ["-c:a", "dca", "-strict", "-2", "-b:a", "768k"]
SPDIF = ["-f", "spdif"]


@pytest.mark.parametrize("silence", [0, 400])
@pytest.mark.parametrize(
    ("stream", "name"),
    [
        (lambda: swapped(through_ffmpeg(*DTS, "-f", "dts")), "DTS"),
        (lambda: bytes.fromhex("ff1f00e8f107dffcfdffff07") + bytes(4000), "DTS"),
        (lambda: through_ffmpeg(*DTS, *SPDIF), "DTS"),
        (lambda: through_ffmpeg("-c:a", "ac3", *SPDIF), "Dolby AC-3"),
        (lambda: through_ffmpeg("-c:a", "mp2", *SPDIF), "an S/PDIF stream"),
    ],
    ids=["DTS", "DTS of 14 bits", "DTS over S/PDIF", "AC-3 over S/PDIF", "MP2 over S/PDIF"],
)
def test_a_disguised_stream_is_refused(
    stream: Callable[[], bytes], name: str, silence: int
) -> None:
    wav = wav_of(bytes(silence) + stream())
    with pytest.raises(BadWav, match=f"contains {name} stored as PCM"):
        read_wav(io.BytesIO(wav), len(wav))


@pytest.mark.parametrize("sample", [32767, 32766, -32768, 8191])
def test_a_square_wave_is_no_stream(sample: int) -> None:
    square = np.tile(np.array([sample, -sample - 1, -sample - 1, sample], "<i2"), 500)
    wav = wav_of(square.tobytes())
    assert read_wav(io.BytesIO(wav), len(wav)).samples == 1000
