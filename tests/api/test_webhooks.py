"""`callback_url`: deliveries by the real service to real receivers, their signatures and their results."""

import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, create_engine, text

from api import problems
from api.schemas import RecordView
from local.stack import Stack
from shared import errors
from tests.api.test_records import undecodable_wav
from tests.api.wire import END, SHORT_WAV, eventually, part, refused
from tests.conftest import User
from tests.receiver import Receiver, receiving, status
from worker.deliveries import message
from worker.failed_attempts import FINAL_ERRORS

SECRET = "/users/me/webhook-secret"


@pytest.fixture
def secret(user: User) -> str:
    return _rotate(user)["secret"]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def engine(stack: Stack) -> Iterator[Engine]:
    engine = create_engine(stack.environment["DATABASE_URL"])
    yield engine
    engine.dispose()


def _rotate(user: User) -> dict[str, str]:
    answer = user.client.post(SECRET, params=user.credentials)
    assert answer.status_code == 201, answer.text
    created: dict[str, str] = answer.json()
    return created


def _upload(user: User, url: str, wav: bytes = SHORT_WAV, **options: str) -> str:
    answer = user.upload(wav, callback_url=url, **options)
    assert answer.status_code == 202, answer.text
    record_id: str = answer.json()["id"]
    return record_id


def _record(user: User, record_id: str) -> dict[str, Any]:
    found: dict[str, Any] = user.client.get(f"/records/{record_id}").json()
    return found


def _webhook(user: User, record_id: str) -> dict[str, Any]:
    found: dict[str, Any] = _record(user, record_id)["webhook"]
    return found


def _end_pauses(engine: Engine, record_id: str) -> None:
    with engine.begin() as connection:
        end = "UPDATE jobs SET run_at = now() WHERE kind = 'deliver' AND record_id = :id"
        connection.execute(text(end), {"id": UUID(record_id)})


def _until_attempted(user: User, record_id: str, count: int = 1) -> dict[str, Any]:
    """Wait for the result of an attempt."""
    eventually(lambda: _is_attempted(_webhook(user, record_id), count))
    return _webhook(user, record_id)


def _is_attempted(webhook: dict[str, Any], count: int) -> bool:
    following = webhook["next_attempt_at"]
    is_running = following and datetime.fromisoformat(following) <= datetime.now(UTC)
    return webhook["attempts"] >= count and not is_running


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com/hook",
        "ftp://example.com/",
        "file:///etc/passwd",
        "http://",
        "http:///path",
        "https://:80/",
        "http://example.com:0/",
        "http://example.com:99999/",
        "http://[::1",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f.0.0.0x1/",
        "http://exa mple.com/",
        "http://example.com/\r\nx",
        "http://example.com/\0",
        "http://bücher.example/",
        "https://example.com/" + 2000 * "a",
    ],
)
def test_a_bad_url_is_refused(user: User, secret: str, url: str) -> None:
    assert "`callback_url`" in refused(user.upload(SHORT_WAV, callback_url=url), 422, "bad_options")


@pytest.mark.parametrize("host", ["10.0.0.1", "[::1]", "169.254.169.254", "user@192.168.0.1:8080"])
def test_a_private_address_is_refused_at_upload(user: User, secret: str, host: str) -> None:
    answer = user.upload(SHORT_WAV, callback_url=f"http://{host}/")
    assert "WEBHOOK_ALLOWED_HOSTS" in refused(answer, 422, "bad_options")


def test_without_a_secret_the_upload_is_refused(user: User) -> None:
    answer = user.upload(SHORT_WAV, callback_url="https://example.com/")
    assert f"POST {SECRET}" in refused(answer, 422, "no_webhook_secret")
    assert user.upload(SHORT_WAV).status_code == 202


def test_a_done_record_is_delivered(user: User, secret: str, receiver: Receiver) -> None:
    record_id = _upload(user, f"{receiver.url}?key=1", gain_db="-3", title="Morgen ☀", quality="4")
    (request,) = receiver.until_received()
    event = request.verified(secret)
    record = _record(user, record_id)
    assert event["type"] == "record.done"
    assert event["timestamp"] == record["finished_at"]
    assert event["data"] == record | {"webhook": None}
    assert event["data"].keys() == RecordView.model_fields.keys()
    assert request.path == "/hook?key=1"
    assert request.headers["content-type"] == "application/json"


def test_a_failed_record_is_delivered(user: User, secret: str, receiver: Receiver) -> None:
    record_id = _upload(user, receiver.url, undecodable_wav(), bitrate_kbps="128")
    (request,) = receiver.until_received()
    event = request.verified(secret)
    assert event["type"] == "record.failed"
    assert event["data"] == _record(user, record_id) | {"webhook": None}


@pytest.mark.parametrize("error", [errors.EncodeFailed, *FINAL_ERRORS])
def test_problems_are_those_of_the_api(error: type[errors.Wav2mp3Error]) -> None:
    delivered = message.problem({"error_code": error.code, "error_detail": "No."})
    assert delivered == problems.problem(error.code, "No.").model_dump()


def test_an_expired_record_is_delivered(
    user: User, secret: str, receiver: Receiver, engine: Engine
) -> None:
    record_id = _upload(user, receiver.url)
    receiver.until_received()
    _until_attempted(user, record_id)
    with engine.begin() as connection:
        expired = "UPDATE records SET expires_at = now() WHERE id = :id"
        connection.execute(text(expired), {"id": UUID(record_id)})
    _, request = receiver.until_received(2)
    event = request.verified(secret)
    assert event["type"] == "record.expired"
    assert (event["data"]["id"], event["data"]["status"]) == (record_id, "expired")
    assert event["data"]["download_link"] is None
    refused(user.client.get(f"/records/{record_id}"), 410, "record_gone")


def test_the_callback_may_be_a_form_field(user: User, secret: str, receiver: Receiver) -> None:
    content = part(receiver.url.encode(), None, b"callback_url") + part(SHORT_WAV) + END
    answer = user.client.post(
        "/records",
        params=user.credentials,
        content=content,
        headers={"Content-Type": "multipart/form-data; boundary=a-boundary-of-our-own"},
    )
    assert answer.status_code == 202, answer.text
    (request,) = receiver.until_received()
    assert request.verified(secret)["data"]["download_link"] == answer.json()["download_link"]


def test_a_failing_receiver_gets_the_event_again(
    user: User, secret: str, receiver: Receiver, engine: Engine
) -> None:
    receiver.answers = [status(500), status(302, Location="http://127.0.0.1:1/")]
    record_id = _upload(user, receiver.url)
    failed = _until_attempted(user, record_id)
    assert failed["last_status"] == 500
    assert "500" in failed["last_error"]
    assert failed["next_attempt_at"] > _record(user, record_id)["finished_at"]
    _end_pauses(engine, record_id)
    assert _until_attempted(user, record_id, 2)["last_status"] == 302
    _end_pauses(engine, record_id)
    eventually(lambda: _webhook(user, record_id)["delivered_at"])
    done = _webhook(user, record_id)
    assert (done["attempts"], done["last_status"]) == (3, 204)
    assert (done["last_error"], done["next_attempt_at"]) == (None, None)
    first, second, third = receiver.requests
    assert first.id == second.id == third.id
    assert first.body == third.body
    assert third.verified(secret)


def test_410_ends_the_attempts(user: User, secret: str, receiver: Receiver) -> None:
    receiver.answers = [status(410)]
    record_id = _upload(user, receiver.url)
    given_up = _until_attempted(user, record_id)
    assert (given_up["last_status"], given_up["next_attempt_at"]) == (410, None)


@pytest.mark.parametrize("answer", ["hang", "drip"])
def test_a_slow_receiver_delays_no_other(
    user: User, secret: str, receiver: Receiver, answer: str
) -> None:
    receiver.answers = [getattr(receiver, answer)]
    slow = _upload(user, receiver.url, filename="slow.wav")
    receiver.until_received()
    with receiving() as other:
        _upload(user, other.url, filename="other.wav")
        other.until_received()
    assert "2 s" in _until_attempted(user, slow)["last_error"]


def test_a_private_address_is_refused_at_delivery(user: User, secret: str, engine: Engine) -> None:
    record_id = _upload(user, "http://127.0.0.1:1/")
    assert "connection" in _until_attempted(user, record_id)["last_error"]
    with engine.begin() as connection:
        move = "UPDATE records SET callback_url = 'http://127.0.0.2:1/' WHERE id = :id"
        connection.execute(text(move), {"id": UUID(record_id)})
    _end_pauses(engine, record_id)
    eventually(lambda: "private" in _webhook(user, record_id)["last_error"])


@pytest.mark.exhaustive
def test_a_killed_process_delivers_again(
    user: User, secret: str, receiver: Receiver, stack: Stack
) -> None:
    receiver.answers = [receiver.hang]
    record_id = _upload(user, receiver.url)
    receiver.until_received()
    os.killpg(stack.pid("deliveries"), signal.SIGKILL)
    first, second = receiver.until_received(2)
    assert first.id == second.id
    eventually(lambda: _webhook(user, record_id)["delivered_at"])
    assert _webhook(user, record_id)["attempts"] == 2


@pytest.mark.exhaustive
def test_events_wait_for_a_stopped_process(
    user: User, secret: str, receiver: Receiver, stack: Stack
) -> None:
    stack.supervisor.stopProcess("deliveries")
    try:
        record_id = _upload(user, receiver.url)
        assert user.wait(record_id)["status"] == "done"
        assert _webhook(user, record_id)["attempts"] == 0
        answer = user.client.get("/health/ready")
        refused(answer, 503, "not_ready")
        assert answer.json()["deliveries"] == "not ready"
    finally:
        stack.supervisor.startProcess("deliveries")
    receiver.until_received()
    eventually(stack.is_ready)


def test_two_secrets_sign_after_a_rotation(user: User, secret: str, receiver: Receiver) -> None:
    rotated = _rotate(user)
    assert rotated["previous_valid_until"]
    _upload(user, receiver.url)
    (request,) = receiver.until_received()
    assert request.verified(secret) == request.verified(rotated["secret"])
    assert len(request.headers["webhook-signature"].split()) == 2


def test_a_repeated_rotation_gets_the_same_secret(user: User, secret: str) -> None:
    headers = {"Idempotency-Key": "a-key-of-this-test"}
    first, again = (
        user.client.post(SECRET, params=user.credentials, headers=headers) for _ in range(2)
    )
    assert again.headers["Idempotency-Replayed"] == "true"
    assert first.json() == again.json()
    assert first.json()["secret"] != secret


def test_the_record_and_the_logs_hide_secrets(
    user: User, secret: str, receiver: Receiver, stack: Stack
) -> None:
    origin = receiver.url.removesuffix("/hook")
    url = receiver.url.replace("//", "//name:hidden-password@") + "?key=hidden-key"
    record_id = _upload(user, url)
    receiver.until_received()
    assert _until_attempted(user, record_id)["origin"] == origin
    assert "hidden" not in user.client.get(f"/records/{record_id}").text
    logs = "".join(path.read_text() for path in (stack.data_dir / "logs").glob("*.log"))
    assert "hidden-password" not in logs
    assert secret.removeprefix("whsec_") not in logs


def test_a_record_without_a_callback_has_no_webhook(user: User) -> None:
    assert user.wait(user.upload(SHORT_WAV).json()["id"])["webhook"] is None


def test_metrics_count_deliveries(user: User, secret: str, receiver: Receiver) -> None:
    _until_attempted(user, _upload(user, receiver.url))
    assert 'wav2mp3_deliveries{state="done"}' in user.client.get("/metrics").text


def test_openapi_describes_the_events(user: User) -> None:
    description = user.client.get("/openapi.json").json()
    assert description["webhooks"].keys() == {"record.done", "record.failed", "record.expired"}
    for name, methods in description["webhooks"].items():
        event = methods["post"]
        assert event["operationId"] == name.replace(".", "_")
        schema = event["requestBody"]["content"]["application/json"]["schema"]
        assert schema == {"$ref": "#/components/schemas/RecordEvent"}
        names = {each["name"] for each in event["parameters"]}
        assert names == {"webhook-id", "webhook-timestamp", "webhook-signature"}
        assert "422" not in event["responses"]
        # Or openapi-generator makes a call to this service of it.
        assert event["x-internal"] is True
