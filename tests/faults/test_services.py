"""Valkey and PostgreSQL go away, forget, or deliver twice, and nothing is lost."""

from collections.abc import Callable

import psutil

from tests.faults.conftest import SLOTS, Service, resume, stopped
from tests.worker.stored import is_running


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
    service.kill("beat")
    resume(encoding)
    for record_id in record_ids:
        service.assert_converted(record_id)
        assert service.attempts(record_id) == [1]


def test_a_worker_restarts_when_its_scheduler_dies(service: Service) -> None:
    _end(service, "beat", _scheduler)


def test_a_scheduler_does_not_outlive_its_worker(service: Service) -> None:
    scheduler = _scheduler(psutil.Process(service.stack.pid("beat")), service)
    _end(service, "beat", lambda beat, _: beat)
    service.until(lambda: not is_running(scheduler))


def _scheduler(beat: psutil.Process, service: Service) -> psutil.Process:
    return service.until(beat.children)[0]


def _end(
    service: Service, program: str, choose: Callable[[psutil.Process, Service], psutil.Process]
) -> None:
    """Kill one of the program's processes. Return when the supervisor has started the program again."""
    pid = service.stack.pid(program)
    choose(psutil.Process(pid), service).kill()
    service.until(lambda: service.stack.pid(program) not in (0, pid))


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
    record_ids += [service.upload(wav, f"{index}.wav") for index in range(SLOTS, SLOTS + 2)]
    service.until(lambda: len(service.queued("clips")) == 2)
    return record_ids, encoding
