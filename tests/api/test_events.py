import json
import time

import httpx

from local.stack import Stack
from tests.api.wire import SHORT_WAV, eventually, part, wav_head, wire
from tests.conftest import User


def follow(client: httpx.Client, record_id: str) -> list[dict[str, object]]:
    with client.stream("GET", f"/records/{record_id}/events") as answer:
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert answer.headers["Cache-Control"] == "no-store"
        events = "".join(answer.iter_text()).split("\n\n")
    assert events.pop() == ""
    assert all(event.startswith("data: ") and "\n" not in event for event in events)
    return [json.loads(event.removeprefix("data: ")) for event in events]


def test_events_end_with_the_done_record(user: User) -> None:
    record_id = user.upload(SHORT_WAV).json()["id"]
    events = follow(user.client, record_id)
    statuses = [event["status"] for event in events]
    assert statuses[-1] == "done"
    assert "done" not in statuses[:-1]
    assert events[-1] == user.client.get(f"/records/{record_id}").json()


def test_a_finished_record_is_one_event(user: User) -> None:
    record_id = user.upload(SHORT_WAV).json()["id"]
    record = user.wait(record_id)
    assert follow(user.client, record_id) == [record]


def test_deleting_the_record_ends_the_events(user: User, service_url: str) -> None:
    with wire(service_url) as uploading:
        uploading.begin(user, ("Transfer-Encoding", "chunked"))
        uploading.send_chunks([part(wav_head(10**6))])
        record_id = _uploading(user)
        with user.client.stream("GET", f"/records/{record_id}/events") as answer:
            lines = answer.iter_lines()
            assert json.loads(next(lines).removeprefix("data: "))["status"] == "uploading"
            user.client.delete(f"/records/{record_id}", params=user.credentials)
            assert not any(lines)


def test_a_closed_event_stream_ends_its_request(stack: Stack, user: User) -> None:
    log = stack.data_dir / "logs" / "api.log"
    with wire(stack.api_url) as uploading:
        uploading.begin(user, ("Transfer-Encoding", "chunked"))
        uploading.send_chunks([part(wav_head(10**6))])
        path = f"/records/{_uploading(user)}/events"
        with user.client.stream("GET", path) as answer:
            lines = answer.iter_lines()
            next(lines)
            time.sleep(0.2)
            assert path not in log.read_text()
        # The access log gets its line when the request's task ends.
        eventually(lambda: path in log.read_text(), within_s=2)


def _uploading(user: User) -> str:
    def records() -> list[dict[str, str]]:
        listed: list[dict[str, str]]
        listed = user.client.get("/records", params=user.credentials).json()["records"]
        return listed

    eventually(lambda: bool(records()))
    return records()[0]["id"]
