import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests import wavs
from tests.conftest import ROOT
from tests.worker.another_ffmpeg import another_ffmpeg
from tests.worker.conversion import convert
from tests.worker.mp3.mp3_material import Sound, music
from worker.audio import encoder_fingerprint, encoder_name, ffmpeg
from worker.audio.fingerprint import REVISION, cpu_family


def fingerprint_of_a_process(executable: Path) -> str:
    code = "from worker.audio import encoder_fingerprint; print(encoder_fingerprint())"
    environment = {**os.environ, "IMAGEIO_FFMPEG_EXE": str(executable)}
    return subprocess.check_output(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, text=True
    ).strip()


def test_every_process_has_the_same_fingerprint() -> None:
    _, digest, revision, family = encoder_fingerprint().split("-", 3)
    assert hashlib.sha256(Path(ffmpeg.EXECUTABLE).read_bytes()).hexdigest().startswith(digest)
    assert revision == f"r{REVISION}"
    assert family.startswith(os.uname().machine)
    assert fingerprint_of_a_process(Path(ffmpeg.EXECUTABLE)) == encoder_fingerprint()


def test_the_fingerprint_names_the_encoder() -> None:
    """LAME fills the frames of silence with its name and version."""
    silence = Sound(np.zeros((4410, 2), np.int16), 44100).encode("-b:a", "320k")
    match = re.search(rb"LAME\d\.\d+", silence)
    assert match is not None
    assert encoder_name(encoder_fingerprint()).startswith(match[0].decode())


def test_a_binary_without_lame_has_the_name_of_ffmpeg(tmp_path: Path) -> None:
    assert encoder_name(fingerprint_of_a_process(another_ffmpeg(tmp_path))) == "Lavc"


def test_another_binary_has_another_fingerprint(tmp_path: Path) -> None:
    another = another_ffmpeg(tmp_path)
    assert fingerprint_of_a_process(another) != encoder_fingerprint()


def test_the_other_ffmpeg_makes_other_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So an MP3 with frames of both encoders differs from the MP3 of each."""
    wav = wavs.build(music(2, 44100, 2).samples)
    ours = convert(tmp_path, wav).mp3.read_bytes()
    monkeypatch.setattr(ffmpeg, "EXECUTABLE", str(another_ffmpeg(tmp_path)))
    assert convert(tmp_path, wav).mp3.read_bytes() != ours


@pytest.mark.parametrize(
    ("flags", "family"),
    [
        ("fpu sse sse2 sse4_2 avx f16c avx2 fma avx512f", "x86_64+avx+avx2+fma"),
        ("fpu sse sse2 sse4_2 avx f16c", "x86_64+avx"),
        ("fpu sse sse2 sse4_2 aes", "x86_64"),
    ],
)
def test_features_that_change_bytes_are_named(flags: str, family: str) -> None:
    cpu = f"processor\t: 0\nmodel name\t: CPU\nflags\t\t: {flags}\n\n"
    assert cpu_family("x86_64", 2 * cpu) == family


def test_other_cpus_are_named_by_architecture() -> None:
    assert cpu_family("aarch64", "processor\t: 0\nFeatures\t: fp asimd crc32\n") == "aarch64"
    assert cpu_family("arm64", "") == "arm64"
