"""SIGTERM: every request that is being answered gets an answer."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from signal import SIGTERM

import pytest
from sqlalchemy import create_engine, text

from local.stack import Stack
from tests.api.conftest import AnotherApi, StartApi
from tests.api.metrics import until_waiting
from tests.api.wire import SHORT_WAV, form, part, refused, wav_head, wire
from tests.conftest import User
from tests.waiting import until

WAITS_FOR_LOCK = "SELECT count(*) FROM pg_locks WHERE NOT granted"
STOPPED_WITHIN_S = 9
"""Less than supervisord's `stopwaitsecs`."""


@pytest.fixture
def api(start_api: StartApi) -> AnotherApi:
    return start_api({"UPLOAD_IDLE_TIMEOUT_S": "30"})


@pytest.fixture
def background() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as threads:
        yield threads


def until_uploading(user: User) -> None:
    def states() -> list[str]:
        listed = user.client.get("/records", params=user.credentials).json()["records"]
        return [record["status"] for record in listed]

    until(lambda: states() == ["uploading"])


@pytest.mark.parametrize("path", ["/records/{id}", "/record?id={id}&user_id={user}"])
def test_waiting_requests_get_503_at_once(
    api: AnotherApi,
    user: User,
    background: ThreadPoolExecutor,
    frozen_workers: AbstractContextManager[None],
    path: str,
) -> None:
    with frozen_workers:
        record_id = user.upload(SHORT_WAV).json()["id"]
        url = path.format(id=record_id, user=user.id)
        waiting = background.submit(api.client.get, url, headers={"Prefer": "wait=30"})
        until_waiting(api.client)
        api.terminate()
        answer = waiting.result(timeout=25)
    refused(answer, 503, "shutting_down")
    assert int(answer.headers["Retry-After"]) > 0
    assert api.wait() == -SIGTERM


def test_event_streams_end_cleanly(
    api: AnotherApi, user: User, frozen_workers: AbstractContextManager[None]
) -> None:
    with frozen_workers:
        record_id = user.upload(SHORT_WAV).json()["id"]
        with api.client.stream("GET", f"/records/{record_id}/events") as answer:
            lines = answer.iter_lines()
            assert next(lines).startswith("id: queued-")
            until_waiting(api.client)
            api.terminate()
            # httpx raises unless the last chunk has arrived.
            assert [line for line in lines if line.startswith("event")] == ["event: queued"]
    assert api.wait() == -SIGTERM


def test_an_upload_may_finish_in_the_grace_time(api: AnotherApi, user: User) -> None:
    body = form(SHORT_WAV)
    with wire(api.url) as connection:
        connection.begin(user, ("Content-Length", len(body)))
        connection.send(body[:-10])
        until_uploading(user)
        api.terminate()
        time.sleep(1)
        connection.send(body[-10:])
        assert connection.answer().status_code == 202
    assert api.wait() == -SIGTERM


@pytest.mark.exhaustive
def test_other_uploads_get_503(api: AnotherApi, user: User) -> None:
    before_s = time.monotonic()
    with wire(api.url) as connection:
        connection.begin(user, ("Content-Length", 10**6))
        connection.send(part(wav_head(10**6)))
        until_uploading(user)
        api.terminate()
        refused(connection.answer(), 503, "shutting_down")
    assert api.wait() == -SIGTERM
    assert time.monotonic() - before_s < STOPPED_WITHIN_S
    assert user.client.get("/records", params=user.credentials).json()["records"] == []


@pytest.mark.exhaustive
def test_a_request_that_cannot_end_gets_503(
    api: AnotherApi, stack: Stack, background: ThreadPoolExecutor
) -> None:
    engine = create_engine(stack.environment["DATABASE_URL"])
    with engine.begin() as connection:
        connection.execute(text("LOCK TABLE users IN ACCESS EXCLUSIVE MODE"))
        creating = background.submit(api.client.post, "/users", json={"name": "alexander"})
        until(lambda: connection.scalar(text(WAITS_FOR_LOCK)))
        api.terminate()
        refused(creating.result(timeout=STOPPED_WITHIN_S), 503, "shutting_down")
    engine.dispose()
    assert api.wait() == -SIGTERM
