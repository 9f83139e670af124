"""Valkey and PostgreSQL go away, forget, or deliver twice, and nothing is lost."""

import time

import psutil

from tests.faults.conftest import CLIP_SAMPLES, RESTARTED_WITHIN_S, SLOTS, Service
from tests.worker.stored import until

ACCEPTED_WITHIN_S = 5


def test_uploads_are_accepted_while_valkey_is_away_and_converted_when_it_is_back(
    service: Service, clip: bytes
) -> None:
    service.stack.supervisor.stopProcess("valkey")
    began = time.monotonic()
    record_ids = [service.upload(clip, f"{index}.wav") for index in range(3)]
    assert time.monotonic() - began < ACCEPTED_WITHIN_S
    service.stack.supervisor.startProcess("valkey")
    for record_id in record_ids:
        service.assert_converted(record_id, CLIP_SAMPLES)


def test_a_worker_survives_a_restart_of_valkey_and_what_it_encodes_is_encoded_once(
    service: Service, clip: bytes
) -> None:
    worker = service.stack.pid("worker")
    record_id = service.upload(clip)
    (ffmpeg,) = service.frozen_ffmpegs()
    service.kill("valkey")
    ffmpeg.resume()
    service.assert_converted(record_id, CLIP_SAMPLES)
    assert service.attempts(record_id) == [1]
    service.assert_converted(service.upload(clip, "another.wav"), CLIP_SAMPLES)
    assert service.stack.pid("worker") == worker


def test_wiping_valkey_and_killing_the_sweeper_loses_nothing(service: Service, clip: bytes) -> None:
    record_ids, frozen = _more_than_the_slots(service, clip)
    assert service.redis.llen("clips") == len(record_ids) - SLOTS
    service.redis.flushall()
    service.kill("sweeper")
    for ffmpeg in frozen:
        ffmpeg.resume()
    for record_id in record_ids:
        service.assert_converted(record_id, CLIP_SAMPLES)
        assert service.attempts(record_id) == [1]


def test_a_task_that_is_delivered_several_times_runs_once(service: Service, clip: bytes) -> None:
    record_ids, frozen = _more_than_the_slots(service, clip)
    for message in service.redis.lrange("clips", 0, -1):
        service.redis.rpush("clips", message, message)
    for ffmpeg in frozen:
        ffmpeg.resume()
    for record_id in record_ids:
        service.assert_converted(record_id, CLIP_SAMPLES)
        assert service.attempts(record_id) == [1]
    until(lambda: service.redis.llen("clips") == 0)


def test_a_crash_of_postgresql_in_the_midst_of_a_conversion_loses_nothing(
    service: Service, clip: bytes
) -> None:
    record_id = service.upload(clip)
    (ffmpeg,) = service.frozen_ffmpegs()
    service.kill("postgres")
    ffmpeg.resume()
    until(service.stack.is_ready, RESTARTED_WITHIN_S)
    service.assert_converted(record_id, CLIP_SAMPLES)


def _more_than_the_slots(service: Service, wav: bytes) -> tuple[list[str], list[psutil.Process]]:
    """Records of which some are being encoded and the others wait on the queue."""
    record_ids = [service.upload(wav, f"{index}.wav") for index in range(SLOTS)]
    frozen = service.frozen_ffmpegs(SLOTS)
    record_ids += [service.upload(wav, f"{index}.wav") for index in range(SLOTS, SLOTS + 2)]
    return record_ids, frozen
