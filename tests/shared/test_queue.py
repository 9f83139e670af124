"""Publishing to a real Valkey that answers, hangs, is full or is gone."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread

import pytest
from redis import RedisError

from shared import queue
from tests.conftest import ROOT

pytestmark = pytest.mark.usefixtures("database")

MAX_PUBLISH_S = 5
"""A 202 must not wait longer for Redis."""


@pytest.fixture(autouse=True)
def _empty_queue(database: None) -> None:
    with queue.connect() as redis:
        redis.flushall()


def test_a_task_carries_only_an_id() -> None:
    assert queue.publish(7, queue.SEGMENTS)
    with queue.connect() as redis:
        message = json.loads(redis.lrange(queue.SEGMENTS, 0, -1)[0])
    assert message["headers"]["task"] == queue.RUN_JOB
    assert message["headers"]["argsrepr"] == "['7']"
    assert message["headers"]["kwargsrepr"] == "{}"


def test_length_counts_published_tasks() -> None:
    for job_id in range(3):
        assert queue.publish(job_id, queue.CLIPS)
    assert queue.length(queue.CLIPS) == 3
    assert queue.length(queue.SEGMENTS) == 0


def test_publishing_to_a_hanging_redis_gives_up_soon(redis: subprocess.Popen[bytes]) -> None:
    assert queue.publish(1, queue.CLIPS)
    redis.send_signal(signal.SIGSTOP)
    try:
        with _within(MAX_PUBLISH_S):
            assert not queue.publish(2, queue.CLIPS)
        with _within(MAX_PUBLISH_S), pytest.raises(RedisError):
            queue.length(queue.CLIPS)
    finally:
        redis.send_signal(signal.SIGCONT)
    assert queue.publish(3, queue.CLIPS)


def test_publishing_without_redis_tries_once(monkeypatch: pytest.MonkeyPatch) -> None:
    connections = []

    class CountAndClose(BaseRequestHandler):
        def handle(self) -> None:
            connections.append(self.client_address)

    with ThreadingTCPServer(("127.0.0.1", 0), CountAndClose) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{server.server_address[1]}/0")
        script = "from shared import queue; assert not queue.publish(1, queue.CLIPS)"
        subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)
        server.shutdown()
    assert len(connections) == 1


def test_publishing_to_a_full_redis_fails_quietly() -> None:
    with queue.connect() as redis:
        redis.config_set("maxmemory", "1")
        try:
            assert not queue.publish(1, queue.CLIPS)
        finally:
            redis.config_set("maxmemory", "0")
    assert queue.publish(1, queue.CLIPS)


def test_publishing_survives_closed_connections() -> None:
    assert queue.publish(1, queue.CLIPS)
    with queue.connect() as redis:
        redis.client_kill_filter(_type="normal", skipme=True)
    assert queue.publish(2, queue.CLIPS)
    assert queue.length(queue.CLIPS) == 2


@contextmanager
def _within(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    took_s = time.monotonic() - began
    assert took_s < seconds
