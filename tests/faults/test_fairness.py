"""Long recordings take turns, and clips go first."""

import pytest

from tests.conftest import SLOTS, new_user
from tests.faults.conftest import Service, resume, running
from tests.wavs import build, sine

pytestmark = pytest.mark.exhaustive

LOW_RATE_HZ = 8000
LONG_S = 18 * 60
"""three times as many segments as are in flight at a time"""
SHORT_S = 4 * 60


def _wav(seconds: int) -> bytes:
    samples = sine(seconds * LOW_RATE_HZ, sample_rate_hz=LOW_RATE_HZ)
    return build(samples, sample_rate_hz=LOW_RATE_HZ)


def test_a_long_recording_delays_neither_clips_nor_other_recordings(
    service: Service, clip: bytes
) -> None:
    client = service.user.client
    another = new_user(client)
    _, busy = service.begin(clip, SLOTS)
    long = service.upload(_wav(LONG_S), "long.wav")
    in_flight = int(service.stack.environment["SEGMENTS_IN_FLIGHT"])
    assert len(service.encode_jobs(long)) == 3 * in_flight
    assert len(service.until_published(long)) == in_flight
    short = another.upload(_wav(SHORT_S), "short.wav").json()["id"]
    early = another.upload(clip, "early.wav").json()["id"]
    service.until_published(short, early)
    resume(busy)
    taken_next = service.suspend_ffmpegs(SLOTS)
    assert service.attempts(early) == [1]
    resume(taken_next)
    finished = [another.wait(each) for each in (early, short, long)]
    assert [record["status"] for record in finished] == ["done"] * 3
    assert max(finished, key=lambda record: str(record["finished_at"]))["id"] == long


def test_a_clip_does_not_wait_for_long_cbr_recordings(service: Service, clip: bytes) -> None:
    long, busy = service.begin(_wav(SHORT_S), SLOTS, bitrate_kbps=64)
    with running(service.stack, "clips"):
        service.assert_converted(service.upload(clip))
    resume(busy)
    for record_id in long:
        service.assert_converted(record_id, SHORT_S * LOW_RATE_HZ, channels=1)
