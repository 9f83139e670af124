"""Limits of connections and of requests that wait. Each has an API process of its own."""

import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack

import httpx
import pytest

from api.http import Shares
from tests.api.conftest import AnotherApi, StartApi
from tests.api.metrics import until_waiting
from tests.api.wire import SHORT_WAV, Wire, eventually, part, refused, wav_head, wire
from tests.conftest import ROOT, User

HEAD_TIMEOUT_S = 2
"""of the API `with_short_timeout`"""
LIMIT = 6


@pytest.fixture(scope="module")
def small(start_api: StartApi) -> AnotherApi:
    return start_api(
        {"MAX_CONNECTIONS": str(2 * LIMIT), "MAX_WAITING": "4", "MAX_SHARE_PER_ADDRESS": "0.5"}
    )


@pytest.fixture
def connections(small: AnotherApi) -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened
    eventually(lambda: small.connections() <= 1)


def half_head(opened: ExitStack, api: AnotherApi) -> Wire:
    connection = opened.enter_context(wire(api.url))
    connection.send(b"GET /health/live HTTP/1.1\r\nX: ")
    return connection


def live(api: AnotherApi) -> httpx.Response:
    return httpx.get(f"{api.url}/health/live", trust_env=False)


@pytest.fixture
def with_short_timeout(start_api: StartApi) -> AnotherApi:
    return start_api({}, {"api.http.connections.HEAD_TIMEOUT_S": HEAD_TIMEOUT_S})


def test_a_half_sent_head_gets_408(with_short_timeout: AnotherApi, connections: ExitStack) -> None:
    before_s = time.monotonic()
    half = half_head(connections, with_short_timeout)
    empty, second = (connections.enter_context(wire(with_short_timeout.url)) for _ in range(2))
    second.send(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
    assert second.answer().status_code == 200
    second.send(b"GET /health/live HTTP/1.1\r\nX: ")
    for connection in (half, second):
        refused(connection.answer(), 408, "request_timeout")
        assert connection.is_closed()
    assert empty.is_closed()
    assert HEAD_TIMEOUT_S - 1 < time.monotonic() - before_s < HEAD_TIMEOUT_S + 5


def test_half_sent_heads_make_room(small: AnotherApi, connections: ExitStack) -> None:
    halves = [half_head(connections, small) for _ in range(3 * LIMIT)]
    assert live(small).status_code == 200
    assert halves[0].is_closed()


def test_requests_in_progress_are_never_interrupted(
    small: AnotherApi, user: User, connections: ExitStack
) -> None:
    small.client.close()
    small.client = httpx.Client(base_url=small.url, trust_env=False)
    uploads = [connections.enter_context(wire(small.url)) for _ in range(LIMIT)]
    for number, upload in enumerate(uploads):
        upload.begin(user, ("Content-Length", 10**6))
        upload.send(part(wav_head(10**6), b"%d.wav" % number))

    def is_full() -> bool:
        try:
            return live(small).status_code == 503
        except httpx.RemoteProtocolError:
            return False

    eventually(is_full)
    answer = live(small)
    refused(answer, 503, "too_many_connections")
    assert int(answer.headers["Retry-After"]) > 0
    assert not any(upload.has_answer() for upload in uploads)


def test_waiting_requests_are_limited_per_address(
    small: AnotherApi, user: User, frozen_workers: AbstractContextManager[None]
) -> None:
    with frozen_workers, ThreadPoolExecutor() as threads:
        record_id = user.upload(SHORT_WAV).json()["id"]
        url, wait = f"{small.url}/records/{record_id}", {"Prefer": "wait=30"}
        held = [
            threads.submit(httpx.get, url, headers=wait, trust_env=False, timeout=30)
            for _ in range(2)
        ]
        until_waiting(small.client, 2)
        for path in (url, f"{url}/events"):
            answer = httpx.get(path, headers=wait, trust_env=False)
            refused(answer, 429, "too_many_waiting")
            assert int(answer.headers["Retry-After"]) > 0
        assert httpx.get(url, trust_env=False).is_success
        small.client.delete(f"/records/{record_id}", params=user.credentials)
        assert [each.result().status_code for each in held] == [410, 410]
        another = f"{small.url}/records/{user.upload(SHORT_WAV).json()['id']}"
        assert httpx.get(another, headers={"Prefer": "wait=1"}, trust_env=False).is_success


@pytest.mark.exhaustive
def test_an_idle_connection_stays_open(client: httpx.Client) -> None:
    """A client that polls every few seconds would meet its closing, and lose a request."""
    with wire(str(client.base_url)) as connection:
        connection.send(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.answer().status_code == 200
        assert not connection.has_answer(within_s=6)


def test_addresses_have_equal_shares() -> None:
    shares = Shares(4, 0.5)
    for address in ("192.0.2.1", "192.0.2.1", "2001:db8::1", "2001:db8::2"):
        assert not shares.is_full()
        assert not shares.is_full_for(address)
        shares.take(address)
    assert shares.is_full()
    assert shares.is_full_for("192.0.2.1")
    assert shares.is_full_for("2001:db8::3")  # the same network
    assert not shares.is_full_for("2001:db8:0:1::1")
    assert not shares.is_full_for("192.0.2.2")
    shares.give_back("192.0.2.1")
    assert not shares.is_full_for("192.0.2.1")


@pytest.mark.exhaustive
@pytest.mark.slow
def test_the_descriptor_limit_is_raised() -> None:
    """Both limits are tested in one process, because a start takes a second. A hard limit can only be lowered."""
    most = min(100_000, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    code = f"""
import resource
from api.http import raise_descriptor_limit
for hard in ({most}, 1000):
    resource.setrlimit(resource.RLIMIT_NOFILE, (500, hard))
    print(raise_descriptor_limit(5000), resource.getrlimit(resource.RLIMIT_NOFILE)[0] == hard)
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout.split() == [str(min(5000, (most - 128) // 2)), "True", "436", "True"]
