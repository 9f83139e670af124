import json
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import httpx

from local.stack import Stack
from tests.api.conftest import StartApi
from tests.api.wire import SHORT_WAV, eventually, part, refused, wav_head, wire
from tests.conftest import User

Event = dict[str, str]


def parse(stream: str) -> list[Event]:
    """Return the fields of each event, without comments."""
    blocks = [block.strip("\n") for block in stream.split("\n\n") if not block.startswith(":")]
    return [dict(line.split(": ", 1) for line in block.split("\n")) for block in blocks if block]


def follow(client: httpx.Client, record_id: str, last_event_id: str = "") -> list[Event]:
    headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
    with client.stream("GET", f"/records/{record_id}/events", headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert answer.headers["Cache-Control"] == "no-store"
        return parse("".join(answer.iter_text()))


@contextmanager
def uploading(user: User, service_url: str) -> Iterator[str]:
    """Yield the id of a record whose upload has begun and does not end."""
    with wire(service_url) as connection:
        connection.begin(user, ("Transfer-Encoding", "chunked"))
        connection.send_chunks([part(wav_head(10**6))])

        def records() -> list[dict[str, str]]:
            listed: list[dict[str, str]]
            listed = user.client.get("/records", params=user.credentials).json()["records"]
            return listed

        eventually(lambda: bool(records()))
        yield records()[0]["id"]


def test_events_end_with_the_done_record(user: User) -> None:
    record_id = user.upload(SHORT_WAV).json()["id"]
    events = follow(user.client, record_id)
    statuses = [event["event"] for event in events]
    assert statuses[-1] == "done"
    assert "done" not in statuses[:-1]
    assert len({event["id"] for event in events}) == len(events)
    assert [json.loads(event["data"])["status"] for event in events] == statuses
    assert json.loads(events[-1]["data"]) == user.client.get(f"/records/{record_id}").json()


def test_a_finished_record_is_one_event(user: User) -> None:
    record_id = user.upload(SHORT_WAV).json()["id"]
    record = user.wait(record_id)
    (event,) = follow(user.client, record_id)
    assert json.loads(event["data"]) == record


def test_a_client_with_the_last_event_gets_204(user: User) -> None:
    record_id = user.upload(SHORT_WAV).json()["id"]
    last = follow(user.client, record_id)[-1]["id"]
    events = f"/records/{record_id}/events"
    assert user.client.get(events, headers={"Last-Event-ID": last}).status_code == 204
    user.client.delete(f"/records/{record_id}", params=user.credentials)
    assert user.client.get(events, headers={"Last-Event-ID": last}).status_code == 204


def test_a_client_resumes_after_its_last_event(user: User, service_url: str) -> None:
    with uploading(user, service_url) as record_id:
        with user.client.stream("GET", f"/records/{record_id}/events") as answer:
            lines = answer.iter_lines()
            first = next(lines).removeprefix("id: ")
        headers = {"Last-Event-ID": first}
        with user.client.stream("GET", f"/records/{record_id}/events", headers=headers) as answer:
            lines = answer.iter_lines()
            assert next(lines).startswith(":")
            user.client.delete(f"/records/{record_id}", params=user.credentials)
            (event,) = parse("\n".join(lines))
        assert event["event"] == "deleted"
        assert [each["event"] for each in follow(user.client, record_id, first)] == ["deleted"]
        gone = user.client.get(f"/records/{record_id}/events")
        refused(gone, 410, "record_gone")


def test_an_unknown_last_event_id_is_ignored(user: User) -> None:
    record_id = user.upload(SHORT_WAV).json()["id"]
    user.wait(record_id)
    for odd in ("x", "0", "queued-", "-done"):
        assert [event["event"] for event in follow(user.client, record_id, odd)] == ["done"]


def test_deleting_the_record_is_the_last_event(user: User, service_url: str) -> None:
    with (
        uploading(user, service_url) as record_id,
        user.client.stream("GET", f"/records/{record_id}/events") as answer,
    ):
        lines = answer.iter_lines()
        assert next(lines).startswith("id: uploading-")
        assert "" in lines  # The first event is complete.
        user.client.delete(f"/records/{record_id}", params=user.credentials)
        *_, last = parse("\n".join(lines))
    assert last["event"] == "deleted"
    assert json.loads(last["data"])["download_link"] is None


def test_a_closed_event_stream_ends_its_request(stack: Stack, user: User) -> None:
    log = stack.data_dir / "logs" / "api.log"
    with uploading(user, stack.api_url) as record_id:
        path = f"/records/{record_id}/events"
        with user.client.stream("GET", path) as answer:
            lines = answer.iter_lines()
            next(lines)
            time.sleep(0.2)
            assert path not in log.read_text()
        # The access log gets its line when the request's task ends.
        eventually(lambda: path in log.read_text())


def test_a_silent_stream_has_heartbeats(
    start_api: StartApi, user: User, frozen_workers: AbstractContextManager[None]
) -> None:
    api = start_api({}, {"api.events.HEARTBEAT_S": 0.5})
    with frozen_workers:
        record_id = user.upload(SHORT_WAV).json()["id"]
        with api.client.stream("GET", f"/records/{record_id}/events") as answer:
            assert any(line.startswith(":") for line in answer.iter_lines())
