"""Valkey and PostgreSQL go away, forget, or deliver twice, and nothing is lost."""

import psutil

from tests.conftest import SLOTS
from tests.faults.conftest import Service, resume, stopped


def test_uploads_are_accepted_while_valkey_is_stopped(service: Service, clip: bytes) -> None:
    with stopped(service.stack, "valkey"):
        record_ids = [service.upload(clip, f"{index}.wav") for index in range(3)]
    for record_id in record_ids:
        service.assert_converted(record_id)


def test_a_worker_survives_a_crash_of_valkey(service: Service, clip: bytes) -> None:
    worker = service.stack.pid("worker")
    (record_id,), encoding = service.begin(clip)
    service.kill("valkey")
    resume(encoding)
    service.assert_converted(record_id)
    assert service.attempts(record_id) == [1]
    service.assert_converted(service.upload(clip, "another.wav"))
    assert service.stack.pid("worker") == worker


def test_an_emptied_valkey_and_a_killed_sweeper_lose_nothing(service: Service, clip: bytes) -> None:
    record_ids, encoding = _more_than_the_slots(service, clip)
    service.redis.flushall()
    service.kill("sweeper")
    resume(encoding)
    for record_id in record_ids:
        service.assert_converted(record_id)
        assert service.attempts(record_id) == [1]


def test_a_task_delivered_several_times_runs_once(service: Service, clip: bytes) -> None:
    record_ids, encoding = _more_than_the_slots(service, clip)
    for message in service.redis.lrange("clips", 0, -1):
        service.redis.rpush("clips", message, message)
    resume(encoding)
    for record_id in record_ids:
        service.assert_converted(record_id)
        assert service.attempts(record_id) == [1]
    service.until(lambda: not service.queued("clips"))


def test_a_crash_of_postgresql_loses_nothing(service: Service, clip: bytes) -> None:
    (record_id,), encoding = service.begin(clip)
    service.kill("postgres")
    resume(encoding)
    service.until(service.stack.is_ready)
    service.assert_converted(record_id)


def _more_than_the_slots(service: Service, wav: bytes) -> tuple[list[str], list[psutil.Process]]:
    """Return records of which some wait on the queue, and the suspended ffmpegs of the others."""
    record_ids, encoding = service.begin(wav, SLOTS)
    waiting = [service.upload(wav, f"{index}.wav") for index in range(SLOTS, SLOTS + 2)]
    assert len(service.until_published(*waiting)) == len(waiting)
    return record_ids + waiting, encoding
