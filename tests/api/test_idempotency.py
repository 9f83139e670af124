"""The header Idempotency-Key, on every call that creates something."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import create_engine, text

from local.stack import Stack
from tests.api.conftest import AnotherApi, StartApi
from tests.api.test_retries import failed, source  # noqa: F401 -- fixtures
from tests.api.wire import SHORT_WAV, eventually, part, refused, wav_head, wire
from tests.conftest import User, new_user
from tests.wavs import build, sine

RACERS = 20
"""More than the API has threads for endpoints."""
LeftBehind = Callable[[], list[object]]


def form(user: User, key: str, wav: bytes = SHORT_WAV, **query: str) -> httpx.Response:
    files = {"wav_file": ("song.wav", wav)}
    return _send(user, "POST", "/records", key, query, files=files)


def raw(user: User, key: str, wav: bytes = SHORT_WAV, **query: str) -> httpx.Response:
    return _send(user, "POST", "/record", key, {"filename": "song.wav", **query}, content=wav)


def put(user: User, key: str, wav: bytes = SHORT_WAV, **query: str) -> httpx.Response:
    return _send(user, "PUT", "/mp3/song.wav", key, query, content=wav)


def _send(
    user: User, method: str, path: str, key: str, query: dict[str, str], **body: object
) -> httpx.Response:
    headers = {"Idempotency-Key": key}
    if "content" in body:
        headers["Content-Type"] = "audio/wav"
    params = user.credentials | query
    return user.client.request(method, path, params=params, headers=headers, **body)  # type: ignore[arg-type]


Send = Callable[..., httpx.Response]
UPLOADS = pytest.mark.parametrize("send", [form, raw, put])


@pytest.fixture
def key() -> str:
    return str(uuid4())


def ids(user: User) -> list[str]:
    listed = user.client.get("/records", params=user.credentials).json()["records"]
    return [record["id"] for record in listed]


def same(first: httpx.Response, second: httpx.Response) -> None:
    """Check that the second answer repeats the first."""
    assert first.is_success, first.text
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert (second.status_code, second.content) == (first.status_code, first.content)
    assert second.headers.get("Location") == first.headers.get("Location")


@UPLOADS
def test_a_repeated_upload_gets_the_first_answer(user: User, key: str, send: Send) -> None:
    same(send(user, key), send(user, key))
    assert len(ids(user)) == 1


def test_a_renaming_upload_is_not_repeated(user: User, key: str) -> None:
    form(user, "another")
    first = form(user, key, if_exists="rename")
    assert first.json()["filename"] == "song (2).wav"
    same(first, form(user, key, if_exists="rename"))
    assert len(ids(user)) == 2


def test_a_replacing_upload_is_not_repeated(user: User, key: str) -> None:
    same(form(user, key, if_exists="replace"), form(user, key, if_exists="replace"))
    assert len(ids(user)) == 1


def test_a_replay_does_not_need_the_record(user: User, key: str) -> None:
    first = form(user, key)
    user.client.delete(f"/records/{first.json()['id']}", params=user.credentials)
    same(first, form(user, key))
    assert ids(user) == []


def test_put_repeats_its_wait(
    user: User, key: str, frozen_workers: AbstractContextManager[None]
) -> None:
    with frozen_workers:
        query = user.credentials
        headers = {"Idempotency-Key": key, "Prefer": "wait=0"}
        first = user.client.put("/mp3/song.wav", params=query, headers=headers, content=SHORT_WAV)
        assert first.status_code == 202, first.text
    again = put(user, key)
    assert again.status_code == 200, again.text
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.content == user.client.get(first.json()["download_link"]).content


@UPLOADS
def test_one_key_is_for_one_request(user: User, key: str, send: Send) -> None:
    assert send(user, key).is_success
    refused(send(user, key, quality="3"), 422, "idempotency_key_reused")
    refused(send(user, key, title="Morning"), 422, "idempotency_key_reused")
    assert len(ids(user)) == 1


def test_paths_and_filenames_are_part_of_the_request(user: User, key: str) -> None:
    assert form(user, key).is_success
    for answer in (
        form(user, key, filename="another.wav"),
        raw(user, key),
        put(user, key),
    ):
        refused(answer, 422, "idempotency_key_reused")


def test_credentials_are_not_part_of_the_request(user: User, key: str) -> None:
    first = form(user, key)
    headers = {"Authorization": f"Bearer {user.token}", "Idempotency-Key": key}
    files = {"wav_file": ("song.wav", SHORT_WAV)}
    same(first, user.client.post("/records", headers=headers, files=files))


def test_users_have_keys_of_their_own(user: User, client: httpx.Client, key: str) -> None:
    eve = new_user(client)
    first, second = form(user, key), form(eve, key)
    assert first.json()["id"] != second.json()["id"]
    assert "Idempotency-Replayed" not in second.headers


@UPLOADS
def test_a_refused_upload_does_not_keep_its_key(user: User, key: str, send: Send) -> None:
    refused(send(user, key, b"fLaC" + bytes(1000)), 415, "not_a_wav")
    refused(send(user, key, SHORT_WAV[:44]), 422, "bad_wav")
    assert send(user, key, quality="3").is_success


def test_a_key_fits_the_upload_it_was_refused_for(user: User, key: str) -> None:
    form(user, "another")
    refused(form(user, key), 409, "filename_taken")
    assert form(user, key, if_exists="replace").is_success


def test_a_lost_connection_does_not_keep_the_key(
    service_url: str, user: User, key: str, left_behind: LeftBehind
) -> None:
    with wire(service_url) as connection:
        connection.begin(user, ("Content-Length", 10**6), ("Idempotency-Key", key))
        connection.send(part(wav_head(10**6)))
        eventually(lambda: len(left_behind()) == 2)
    headers = {"Idempotency-Key": key}
    files = {"wav_file": ("wire.wav", SHORT_WAV)}
    again = user.client.post("/record", params=user.credentials, headers=headers, files=files)
    assert again.status_code == 202, again.text


def test_a_silent_upload_does_not_keep_the_key(
    service_url: str, user: User, key: str, left_behind: LeftBehind
) -> None:
    """The upload's connection is still open: the service does not know that the client is gone."""
    with wire(service_url) as connection:
        options = {"if_exists": "rename"}
        connection.begin(user, ("Content-Length", 10**9), ("Idempotency-Key", key), **options)
        # Enough bytes for the least average rate, so that the service waits.
        connection.send(part(wav_head(10**8)), bytes(10**6))
        eventually(lambda: len(left_behind()) == 2)
        files, headers = {"wav_file": ("wire.wav", SHORT_WAV)}, {"Idempotency-Key": key}
        query = user.credentials | options
        again = user.client.post("/record", params=query, headers=headers, files=files)
    assert again.status_code == 202, again.text


def test_a_running_upload_keeps_the_key(
    service_url: str, user: User, key: str, left_behind: LeftBehind
) -> None:
    with wire(service_url) as connection, ThreadPoolExecutor(1) as thread:
        connection.begin(user, ("Transfer-Encoding", "chunked"), ("Idempotency-Key", key))
        connection.send_chunks([part(wav_head(10**8))])
        eventually(lambda: len(left_behind()) == 2)
        headers = {"Idempotency-Key": key}
        files = {"wav_file": ("wire.wav", SHORT_WAV)}
        query = user.credentials
        second = thread.submit(
            user.client.post, "/record", params=query, headers=headers, files=files
        )
        while not second.done():
            connection.send_chunks([bytes(5000)])
            wait([second], 0.02)
        refused(second.result(), 409, "request_in_progress")
        assert int(second.result().headers["Retry-After"]) >= 1


@UPLOADS
@pytest.mark.parametrize("if_exists", ["fail", "rename", "replace"])
def test_one_of_many_racing_uploads_works(user: User, key: str, send: Send, if_exists: str) -> None:
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda _: send(user, key, if_exists=if_exists), range(6)))
    (record_id,) = ids(user)
    for answer in answers:
        if answer.status_code == 409:
            refused(answer, 409, "request_in_progress")
        else:
            assert record_id in answer.headers["Location"]
    worked = [each for each in answers if each.is_success]
    assert sum("Idempotency-Replayed" not in each.headers for each in worked) == 1


def test_a_replay_needs_no_room(start_api: StartApi, key: str) -> None:
    wav = build(sine(44100))
    # The MP3 is larger than 1,000 bytes, so a second WAV has no room beside it.
    api: AnotherApi = start_api({"MAX_STORED_BYTES": str(len(wav) + 1000)})
    user = api.user()
    first = form(user, key, wav)
    user.wait(first.json()["id"])
    refused(form(user, "another", wav, if_exists="rename"), 507, "user_storage_full")
    same(first, form(user, key, wav))


def test_a_retry_is_not_repeated(user: User, failed: str, key: str) -> None:  # noqa: F811
    path = f"/records/{failed}/retry"
    first = _send(user, "POST", path, key, {"quality": "3"})
    user.wait(failed)
    same(first, _send(user, "POST", path, key, {"quality": "3"}))
    refused(_send(user, "POST", path, key, {"quality": "4"}), 422, "idempotency_key_reused")
    refused(_send(user, "POST", path, "another", {"quality": "3"}), 410, "source_gone")


def test_one_of_many_racing_retries_works(user: User, failed: str, key: str) -> None:  # noqa: F811
    with ThreadPoolExecutor(6) as threads:
        path = f"/records/{failed}/retry"
        answers = list(threads.map(lambda _: _send(user, "POST", path, key, {}), range(6)))
    assert {answer.status_code for answer in answers} == {202}
    assert sum("Idempotency-Replayed" not in each.headers for each in answers) == 1


def test_a_refused_retry_does_not_keep_its_key(user: User, key: str) -> None:
    record_id = form(user, "another").json()["id"]
    user.wait(record_id)
    for quality in ("3", "4"):
        answer = _send(user, "POST", f"/records/{record_id}/retry", key, {"quality": quality})
        refused(answer, 410, "source_gone")


def create_user(client: httpx.Client, key: str, name: str = "anna") -> httpx.Response:
    return client.post("/users", json={"name": name}, headers={"Idempotency-Key": key})


def test_a_user_is_created_once(client: httpx.Client, key: str) -> None:
    with ThreadPoolExecutor(RACERS) as threads:
        answers = list(threads.map(lambda _: create_user(client, key), range(RACERS)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert sum("Idempotency-Replayed" not in each.headers for each in answers) == 1
    created = answers[0].json()
    user = User(client, created["id"], created["token"])
    assert ids(user) == []
    refused(create_user(client, key, "eve"), 422, "idempotency_key_reused")


def test_the_database_has_no_token(client: httpx.Client, stack: Stack, key: str) -> None:
    token = create_user(client, key).json()["token"]
    engine = create_engine(stack.environment["DATABASE_URL"])
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT idempotency_keys::text FROM idempotency_keys")).all()
    engine.dispose()
    assert rows
    for (row,) in rows:
        for secret in (token, key):
            assert secret not in row
            assert secret.encode().hex() not in row


@pytest.mark.parametrize("key", [b"", b"k" * 256, b"a\tb", "é".encode(), b"\xff"])
def test_an_unusable_key_is_refused(user: User, key: bytes, left_behind: LeftBehind) -> None:
    headers = [(b"Idempotency-Key", key)]
    files = {"wav_file": ("song.wav", SHORT_WAV)}
    answer = user.client.post("/records", params=user.credentials, headers=headers, files=files)
    refused(answer, 422, "bad_request")
    assert not left_behind()


def test_two_keys_are_refused(user: User) -> None:
    headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    files = {"wav_file": ("song.wav", SHORT_WAV)}
    answer = user.client.post("/records", params=user.credentials, headers=headers, files=files)
    refused(answer, 422, "bad_request")


@pytest.mark.parametrize("key", ["a b", "k" * 255, '"8e03978e"', "~!@#$%^&*()"])
def test_printable_keys_are_accepted(user: User, key: str) -> None:
    same(form(user, key), form(user, key))


def test_a_token_is_created_once(user: User, key: str) -> None:
    with ThreadPoolExecutor(RACERS) as threads:
        answers = list(threads.map(lambda _: _create_token(user, key), range(RACERS)))
    assert {(answer.status_code, answer.text) for answer in answers} == {(201, answers[0].text)}
    token = answers[0].json()["token"]
    tokens = user.client.get("/users/me/tokens", headers={"token": token}).json()["tokens"]
    assert [each["name"] for each in tokens] == ["first", "build server"]


def _create_token(user: User, key: str) -> httpx.Response:
    headers = {"Idempotency-Key": key}
    body = {"name": "build server"}
    return user.client.post("/users/me/tokens", params=user.credentials, json=body, headers=headers)
