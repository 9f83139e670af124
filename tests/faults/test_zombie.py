"""A worker that hangs for longer than its lease, and then goes on."""

import pytest

from tests.faults.conftest import Service
from tests.waiting import is_running
from tests.worker.processes import suspended

pytestmark = pytest.mark.exhaustive


def test_a_worker_that_lost_its_lease_changes_nothing(service: Service, clip: bytes) -> None:
    (record_id,), (ffmpeg,) = service.begin(clip)
    with suspended(service.stack.pid("worker")), service.another_worker():
        ffmpeg.resume()
        service.assert_converted(record_id)
        done = service.user.wait(record_id)
        mp3 = service.mp3(record_id).stat()
        attempts = service.attempts(record_id)
        assert attempts > [1]
        assert is_running(ffmpeg)
    service.until(lambda: not is_running(ffmpeg))
    assert service.user.wait(record_id) == done
    assert service.mp3(record_id).stat() == mp3
    assert service.attempts(record_id) == attempts
