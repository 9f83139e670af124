"""Clients that leave, stall or never finish a request, in great numbers. The others must not notice."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from statistics import median
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.api.conftest import AnotherApi, StartApi, start_api  # noqa: F401 -- a fixture
from tests.api.wire import CONTENT_TYPE, SHORT_WAV, eventually, part, wav_head
from tests.browser.conftest import frozen_workers  # noqa: F401 -- a fixture
from tests.conftest import ROOT, User

LIVE_S = 0.5
"""The usual time of an answer, even on a busy machine."""
STALLED_S = 5
GONE_WITHIN_S = 25
"""Less than a wait of 30 s, after which the clients would be gone anyway."""
ABANDONED_WAITS = 2000
HALF_SENT_HEADS = 1500
STALLED_UPLOADS = 500
POLITE_CONNECTIONS = 3
Crowd = Callable[[AnotherApi, User], list[socket.socket]]


@pytest.fixture
def api(start_api: StartApi) -> AnotherApi:  # noqa: F811 -- the fixture
    return start_api({"UPLOAD_IDLE_TIMEOUT_S": "10"})


def connect(api: AnotherApi, sent: bytes) -> socket.socket:
    address = urlsplit(api.url)
    connection = socket.create_connection((address.hostname, address.port), timeout=10)
    connection.sendall(sent)
    return connection


def abandon_waits(api: AnotherApi, user: User) -> list[socket.socket]:
    record_id = user.upload(SHORT_WAV, f"{time.monotonic()}.wav").json()["id"]
    request = f"GET /records/{record_id} HTTP/1.1\r\nHost: x\r\nPrefer: wait=30\r\n\r\n".encode()
    for _ in range(ABANDONED_WAITS):
        connect(api, request).close()
    return []


def half_send_heads(api: AnotherApi, user: User) -> list[socket.socket]:
    return [connect(api, b"GET /health/live HTTP/1.1\r\nHo") for _ in range(HALF_SENT_HEADS)]


def stall_uploads(api: AnotherApi, user: User) -> list[socket.socket]:
    query = urlencode(user.credentials)
    head = (
        f"POST /record?{query} HTTP/1.1\r\nHost: x\r\nContent-Type: {CONTENT_TYPE}\r\n"
        "Content-Length: 1000000\r\n\r\n"
    ).encode()
    return [
        connect(api, head + part(wav_head(10**6) + bytes(1000), f"{number}.wav".encode()))
        for number in range(STALLED_UPLOADS)
    ]


def all_at_once(api: AnotherApi, user: User) -> list[socket.socket]:
    return [
        *half_send_heads(api, user),
        *stall_uploads(api, user),
        *abandon_waits(api, user),
    ]


@contextmanager
def live_times_s(api: AnotherApi) -> Iterator[list[float]]:
    """Ask for `/health/live` all the time. The list has the times of the answers once the block ends."""
    times_s: list[float] = []
    command = [sys.executable, "-m", "tests.faults.ask_live", api.url]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as asking:
        assert asking.stdout is not None
        times_s.append(float(asking.stdout.readline()))
        yield times_s
        asking.terminate()
        times_s += map(float, asking.stdout.read().split())


@pytest.mark.parametrize("crowd", [abandon_waits, half_send_heads, stall_uploads, all_at_once])
def test_a_crowd_of_bad_clients_stalls_nobody(
    api: AnotherApi,
    user: User,
    frozen_workers: AbstractContextManager[None],  # noqa: F811 -- the fixture
    crowd: Crowd,
) -> None:
    bad, good = api.user(), api.user()
    done = user.upload(SHORT_WAV).json()["download_link"]
    assert user.client.get(done).is_success
    with frozen_workers, ExitStack() as stack, live_times_s(api) as times_s:
        for connection in crowd(api, bad):
            stack.callback(connection.close)
        assert good.upload(SHORT_WAV).status_code == 202
        assert api.client.get("/record", params=parse_qs(urlsplit(done).query)).is_success
        eventually(lambda: api.connections() <= POLITE_CONNECTIONS, within_s=GONE_WITHIN_S)
        assert not _uploading(bad)
    assert len(times_s) > 5
    assert median(times_s) < LIVE_S, sorted(times_s)
    assert max(times_s) < STALLED_S, sorted(times_s)[-5:]


def _uploading(user: User) -> bool:
    records = user.client.get("/records", params=user.credentials).json()["records"]
    return any(record["status"] == "uploading" for record in records)
