"""Processes die at the worst moment, and nothing is lost."""

import socket

from shared.settings import Settings
from tests.faults.conftest import CLIP_SAMPLES, RESTARTED_WITHIN_S, Service
from tests.worker.stored import until

MAX_ATTEMPTS = 4
CANCELLED_WITHIN_S = 2
AGAIN_WITHIN_S = 12
"""3 s of lease, 1 s until the next sweep, and a worker's start"""


def test_a_killed_ffmpeg_loses_nothing(service: Service, clip: bytes) -> None:
    record_id = service.upload(clip)
    (ffmpeg,) = service.frozen_ffmpegs()
    ffmpeg.kill()
    service.assert_converted(record_id, CLIP_SAMPLES)
    assert service.attempts(record_id) == [2]


def test_a_killed_pool_process_loses_nothing(service: Service, clip: bytes) -> None:
    record_id = service.upload(clip)
    (ffmpeg,) = service.frozen_ffmpegs()
    pool_process = ffmpeg.parent()
    assert pool_process is not None
    pool_process.kill()
    ffmpeg.resume()
    service.assert_converted(record_id, CLIP_SAMPLES)
    assert service.attempts(record_id) == [2]


def test_a_killed_worker_loses_nothing_and_its_segment_runs_again_soon(
    service: Service, clip: bytes
) -> None:
    record_id = service.upload(clip)
    (ffmpeg,) = service.frozen_ffmpegs()
    service.kill("worker")
    until(lambda: service.attempts(record_id) == [2], AGAIN_WITHIN_S)
    ffmpeg.resume()
    service.assert_converted(record_id, CLIP_SAMPLES)


def test_by_default_a_dead_workers_segment_runs_again_within_30_s() -> None:
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    # the lease runs out, the next sweep takes the segment back and puts it in front
    assert defaults["lease_s"] + 2 * defaults["sweep_interval_s"] <= 25


def test_a_killed_api_leaves_nothing_of_the_upload_that_it_received(
    service: Service, clip: bytes
) -> None:
    with _half_an_upload(service, clip) as upload:
        until(lambda: len(service.files()) == 1)
        service.kill("api")
        until(service.stack.is_ready, RESTARTED_WITHIN_S)
        until(lambda: service.files() == set(), RESTARTED_WITHIN_S)
        upload.close()
    query = "SELECT id FROM records WHERE user_id = :id"
    assert service.ask(query, service.user.id) == []
    service.assert_converted(service.upload(clip, "half.wav"), CLIP_SAMPLES)


def _half_an_upload(service: Service, wav: bytes) -> socket.socket:
    credentials = "&".join(f"{name}={value}" for name, value in service.user.credentials.items())
    part = 'Content-Disposition: form-data; name="wav_file"; filename="half.wav"'
    body = f"--edge\r\n{part}\r\n\r\n".encode() + wav[: len(wav) // 2]
    head = (
        f"POST /record?{credentials} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(wav)}\r\n"
        "Content-Type: multipart/form-data; boundary=edge\r\n\r\n"
    )
    connection = socket.create_connection(("127.0.0.1", service.stack.api_port))
    connection.sendall(head.encode() + body)
    return connection


def test_a_poison_segment_fails_its_record_after_its_attempts_and_frees_the_name(
    service: Service, clip: bytes
) -> None:
    record_id = service.upload(clip)
    for _ in range(MAX_ATTEMPTS):
        (ffmpeg,) = service.frozen_ffmpegs()
        ffmpeg.kill()
    record = service.user.wait(record_id)
    assert record["status"] == "failed"
    assert isinstance(record["error"], dict)
    assert record["error"]["code"] == "encode_failed"
    assert service.attempts(record_id) == [MAX_ATTEMPTS]
    service.assert_converted(service.upload(clip), CLIP_SAMPLES)


def test_a_deleted_records_ffmpeg_ends_at_once(service: Service, clip: bytes) -> None:
    record_id = service.upload(clip)
    (ffmpeg,) = service.frozen_ffmpegs()
    deleted = service.user.client.delete(f"/records/{record_id}", params=service.user.credentials)
    assert deleted.status_code == 204
    until(lambda: not ffmpeg.is_running(), CANCELLED_WITHIN_S)
