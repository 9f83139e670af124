"""Long recordings take turns, and clips go first."""

from tests.conftest import User
from tests.faults.conftest import CLIP_SAMPLES, SLOTS, Service, resume, running
from tests.wavs import build, sine

LOW_RATE_HZ = 8000
LONG_S = 40 * 60
"""more segments than are in flight at a time"""
SHORT_S = 4 * 60
IN_FLIGHT = 16


def _wav(seconds: int) -> bytes:
    samples = sine(seconds * LOW_RATE_HZ, sample_rate_hz=LOW_RATE_HZ)
    return build(samples, sample_rate_hz=LOW_RATE_HZ)


def test_a_long_recording_delays_neither_clips_nor_other_recordings(
    service: Service, clip: bytes
) -> None:
    client = service.user.client
    created = client.post("/users", json={"name": "another"}).json()
    another = User(client, created["id"], created["token"])
    _, busy = service.begin(clip, SLOTS)
    long = service.upload(_wav(LONG_S), "long.wav")
    service.until(lambda: len(service.queued("segments")) == IN_FLIGHT)
    short = another.upload(_wav(SHORT_S), "short.wav").json()["id"]
    early = another.upload(clip, "early.wav").json()["id"]
    service.until(lambda: len(service.queued("clips")) == 1)
    resume(busy)
    taken_next = service.suspend_ffmpegs(SLOTS)
    assert service.attempts(early) == [1]
    resume(taken_next)
    for record_id in (early, short):
        assert another.wait(record_id)["status"] == "done"
    assert any(segment.state != "done" for segment in service.segments(long))
    client.delete(f"/records/{long}", params=service.user.credentials).raise_for_status()


def test_a_clip_does_not_wait_for_long_cbr_recordings(service: Service, clip: bytes) -> None:
    long, busy = service.begin(_wav(SHORT_S), SLOTS, bitrate_kbps=64)
    with running(service.stack, "clips"):
        service.assert_converted(service.upload(clip), CLIP_SAMPLES)
    resume(busy)
    for record_id in long:
        service.assert_converted(record_id, SHORT_S * LOW_RATE_HZ)
