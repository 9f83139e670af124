"""Pins the bytes that the locked ffmpeg makes of one input, so that nobody changes the encoder unnoticed."""

import hashlib
import platform
import random
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.mp3_options import Options
from tests import wavs
from tests.worker.conversion import convert
from worker.audio import encoder_fingerprint

SAMPLES = 4 * 48000
CHECK = """\
The encoder makes other bytes than before. If a new lock file brought another ffmpeg, then check:
- the effort in the LAME header (worker/mp3/lame_header.py);
- that RUN_IN_FRAMES and LOOKAHEAD_FRAMES still suffice (tests/worker/audio/test_seams.py);
- that `make bench` is no slower;
- that CHANGELOG.md tells users that their MP3s will have other bytes.
Then store the new hash in this test."""

needs_linux_on_x86_64 = pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"),
    reason="the hashes are of the build for Linux on x86-64; other builds make other bytes",
)


def chirp_and_hits() -> NDArray[np.int64]:
    """Return 4 s of stereo. Integer arithmetic alone gives the same samples on every machine."""
    place = np.arange(SAMPLES)
    chirp = place**2 // 4000 % 30_000 - 15_000
    noise = np.frombuffer(random.Random(7).randbytes(2 * SAMPLES), "<i2").astype(np.int64)
    hits = noise // np.where(place % 24_000 < 3000, 4, 100)
    return np.stack([chirp + hits, hits - chirp // 2], axis=1)


@needs_linux_on_x86_64
@pytest.mark.parametrize(
    ("options", "digest"),
    [
        pytest.param(Options(quality=2), "8f52543d2e56d2c6", id="V2"),
        pytest.param(Options(bitrate_kbps=192), "733946e0f15e1b64", id="CBR"),
        pytest.param(Options(sample_rate_hz=44100), "0d27d53912d2c11c", id="resampled"),
    ],
)
def test_the_locked_ffmpeg_makes_the_same_bytes(
    tmp_path: Path, options: Options, digest: str
) -> None:
    if options.sample_rate_hz and not encoder_fingerprint().endswith("+avx+avx2+fma"):
        pytest.skip("the resampler makes other bytes on CPUs without AVX and FMA")
    wav = wavs.build(chirp_and_hits(), sample_rate_hz=48000)
    frames = b"".join(part.read_bytes() for part in convert(tmp_path, wav, options).parts)
    assert hashlib.sha256(frames).hexdigest()[:16] == digest, CHECK
