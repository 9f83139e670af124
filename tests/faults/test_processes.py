"""Processes die at the worst moment, and nothing is lost."""

from tests.api.wire import part, wire
from tests.faults.conftest import Service
from tests.waiting import is_running


def test_a_killed_ffmpeg_loses_nothing(service: Service, clip: bytes) -> None:
    (record_id,), (ffmpeg,) = service.begin(clip)
    ffmpeg.kill()
    service.assert_converted(record_id)
    assert service.attempts(record_id) > [1]


def test_a_killed_pool_process_loses_nothing(service: Service, clip: bytes) -> None:
    (record_id,), (ffmpeg,) = service.begin(clip)
    pool_process = ffmpeg.parent()
    assert pool_process is not None
    pool_process.kill()
    ffmpeg.resume()
    service.assert_converted(record_id)
    assert service.attempts(record_id) > [1]


def test_a_killed_worker_loses_no_segment(service: Service, clip: bytes) -> None:
    (record_id,), (ffmpeg,) = service.begin(clip)
    service.kill("worker")
    service.until(lambda: service.attempts(record_id) > [1])
    ffmpeg.resume()
    service.assert_converted(record_id)


def test_a_killed_api_leaves_no_half_upload(service: Service, clip: bytes) -> None:
    with wire(service.stack.api_url) as connection:
        connection.begin(service.user, ("Content-Length", len(clip)))
        connection.send(part(clip)[: len(clip) // 2])
        service.until(lambda: len(service.files()) == 1)
        service.kill("api")
    service.until(lambda: service.files() == set())
    service.until(service.stack.is_ready)
    assert service.records() == []
    service.assert_converted(service.upload(clip, "wire.wav"))


def test_a_segment_that_kills_workers_fails_its_record(service: Service, clip: bytes) -> None:
    max_attempts = int(service.stack.environment["MAX_ATTEMPTS"])
    (record_id,), (ffmpeg,) = service.begin(clip)
    ffmpeg.kill()
    for _ in range(max_attempts - 1):
        (ffmpeg,) = service.suspend_ffmpegs()
        ffmpeg.kill()
    record = service.user.wait(record_id)
    assert record["status"] == "failed"
    assert isinstance(record["error"], dict)
    assert record["error"]["code"] == "encode_failed"
    assert service.attempts(record_id) == [max_attempts]
    service.assert_converted(service.upload(clip, "0.wav"))


def test_deleting_a_record_ends_its_ffmpeg(service: Service, clip: bytes) -> None:
    (record_id,), (ffmpeg,) = service.begin(clip)
    deleted = service.user.client.delete(f"/records/{record_id}", params=service.user.credentials)
    assert deleted.status_code == 204
    service.until(lambda: not is_running(ffmpeg))
