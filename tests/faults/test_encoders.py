"""Two builds of the encoder at work, as in a rolling upgrade: no MP3 mixes their bytes."""

from pathlib import Path

import pytest

from tests.faults.conftest import Service, stopped
from tests.wavs import build, sine
from tests.worker.another_ffmpeg import another_ffmpeg

pytestmark = pytest.mark.exhaustive

RATE_HZ = 8000
RECORDING_S = 12 * 60
RECORDINGS = 4


@pytest.fixture(scope="module")
def wav() -> bytes:
    return build(sine(RECORDING_S * RATE_HZ, sample_rate_hz=RATE_HZ), sample_rate_hz=RATE_HZ)


def _convert(service: Service, wav: bytes, *filenames: str) -> list[bytes]:
    record_ids = [service.upload(wav, filename) for filename in filenames]
    for record_id in record_ids:
        service.assert_converted(record_id, RECORDING_S * RATE_HZ, channels=1)
    return [service.mp3(record_id).read_bytes() for record_id in record_ids]


def test_no_mp3_mixes_two_builds(service: Service, wav: bytes, tmp_path: Path) -> None:
    (old,) = _convert(service, wav, "old.wav")
    with service.another_worker(IMAGEIO_FFMPEG_EXE=str(another_ffmpeg(tmp_path))):
        with stopped(service.stack, "worker"):
            (new,) = _convert(service, wav, "new.wav")
        assert new != old
        mixed = _convert(service, wav, *(f"{index}.wav" for index in range(RECORDINGS)))
    assert set(mixed) <= {old, new}
