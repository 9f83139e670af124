"""Whose turn it is: long recordings take turns, and clips go first."""

import psutil

from tests.conftest import User
from tests.faults.conftest import CLIP_SAMPLES, SLOTS, Service
from tests.wavs import build, sine

LOW_RATE_HZ = 8000
LONG_S = 40 * 60
"""more segments than are in flight at a time"""
SHORT_S = 4 * 60
IN_FLIGHT = 16


def _wav(seconds: int) -> bytes:
    samples = sine(seconds * LOW_RATE_HZ, sample_rate_hz=LOW_RATE_HZ)
    return build(samples, sample_rate_hz=LOW_RATE_HZ)


def test_a_long_recording_keeps_neither_a_clip_nor_another_recording_waiting(
    service: Service, clip: bytes
) -> None:
    client = service.user.client
    created = client.post("/users", json={"name": "another"}).json()
    another = User(client, created["id"], created["token"])
    for index in range(SLOTS):
        service.upload(clip, f"{index}.wav")
    busy = service.frozen_ffmpegs(SLOTS)
    long = service.upload(_wav(LONG_S), "long.wav")
    assert service.redis.llen("segments") == IN_FLIGHT
    short = another.upload(_wav(SHORT_S), "short.wav").json()["id"]
    early = another.upload(clip, "early.wav").json()["id"]
    _resume(busy)
    taken_next = service.frozen_ffmpegs(SLOTS)
    assert service.attempts(early) == [1]
    _resume(taken_next)
    for record_id in (early, short):
        assert another.wait(record_id)["status"] == "done"
    assert len(_done(service, long)) < len(service.attempts(long))
    client.delete(f"/records/{long}", params=service.user.credentials).raise_for_status()


def test_a_clip_is_converted_while_long_cbr_recordings_occupy_every_slot_of_the_worker(
    service: Service, clip: bytes
) -> None:
    service.stack.supervisor.startProcess("clips")
    long = [service.upload(_wav(SHORT_S), f"{slot}.wav", bitrate_kbps=64) for slot in range(SLOTS)]
    busy = service.frozen_ffmpegs(SLOTS)
    service.assert_converted(service.upload(clip), CLIP_SAMPLES)
    _resume(busy)
    for record_id in long:
        service.assert_converted(record_id, SHORT_S * LOW_RATE_HZ)
    service.stack.supervisor.stopProcess("clips")


def _done(service: Service, record_id: str) -> list[int]:
    return service.ask(
        "SELECT index FROM jobs WHERE record_id = :id AND kind = 'encode' AND state = 'done'",
        record_id,
    )


def _resume(frozen: list[psutil.Process]) -> None:
    for process in frozen:
        process.resume()
