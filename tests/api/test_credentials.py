"""Every call with another user's credentials, with none, and with malformed ones."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.api.wire import SHORT_WAV, refused
from tests.conftest import User, new_user

UPLOADS = {("POST", "/record"), ("POST", "/records")}
RAW_UPLOADS = {("PUT", "/mp3/{filename}")}
PROTECTED = {
    *UPLOADS,
    *RAW_UPLOADS,
    ("GET", "/records"),
    ("GET", "/records.zip"),
    ("POST", "/records/{record_id}/retry"),
    ("DELETE", "/records/{record_id}"),
    ("POST", "/users/me/webhook-secret"),
    ("GET", "/users/me"),
    ("GET", "/users/me/tokens"),
    ("POST", "/users/me/tokens"),
    ("DELETE", "/users/me/tokens/{token_id}"),
}
OF_ONE_RECORD = {
    ("GET", "/record"),
    ("GET", "/records/{record_id}"),
    ("GET", "/records/{record_id}/events"),
    ("GET", "/records/{record_id}/mp3"),
    ("GET", "/records/{record_id}/waveform"),
}
"""The record's id is the credential."""
OPEN = {
    ("POST", "/users"),
    ("GET", "/health/live"),
    ("GET", "/health/ready"),
    ("GET", "/metrics"),
}

MALFORMED: dict[str, dict[str, Any]] = {
    "empty token": {"params": {"token": ""}},
    "unknown token": {"params": {"token": "A" * 43}},
    "long token": {"params": {"token": "A" * 30_000}},
    "NUL": {"params": {"token": "\0"}},
    "another script": {"params": {"token": "жетон"}},
    "SQL": {"params": {"token": "' OR 1=1 --"}},
    "bytes in a header": {"headers": {"token": b"\xff\xfe"}},
    "Bearer alone": {"headers": {"Authorization": "Bearer"}},
    "unknown Bearer": {"headers": {"Authorization": "Bearer unknown"}},
    "another scheme": {"headers": {"Authorization": "Basic dXNlcjpwYXNz"}},
    "user id alone": {"params": {"user_id": str(uuid4())}},
    "malformed user id": {"params": {"user_id": "\0%", "token": "unknown"}},
}
WITH_A_GOOD_TOKEN = {
    "user id": {"user_id": str(uuid4())},
    "malformed user id": {"user_id": "1 OR 1=1"},
    "empty user id": {"user_id": ""},
}


@pytest.fixture(scope="module")
def owner(client: httpx.Client) -> User:
    return _create_user(client)


@pytest.fixture(scope="module")
def eve(client: httpx.Client) -> User:
    return _create_user(client)


def _create_user(client: httpx.Client) -> User:
    return new_user(client)


@pytest.fixture(scope="module")
def record_id(owner: User) -> str:
    accepted: str = owner.upload(SHORT_WAV, "owned.wav").json()["id"]
    owner.wait(accepted)
    return accepted


@pytest.fixture
def send(
    owner: User, record_id: str
) -> Iterator[Callable[[tuple[str, str], dict[str, Any]], httpx.Response]]:
    """Return a function that sends one call. The owner's records remain as they were."""

    def send_call(call: tuple[str, str], credentials: dict[str, Any]) -> httpx.Response:
        method, path = call
        files = {"wav_file": ("new.wav", SHORT_WAV)} if call in UPLOADS else None
        content = SHORT_WAV if call in RAW_UPLOADS else None
        url = path.format(record_id=record_id, token_id=uuid4(), filename="new.wav")
        return owner.client.request(method, url, files=files, content=content, **credentials)

    yield send_call
    listed = owner.client.get("/records", params=owner.credentials).json()["records"]
    assert [record["id"] for record in listed] == [record_id]


Send = Callable[[tuple[str, str], dict[str, Any]], httpx.Response]


def test_every_call_is_tested(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    described = {(method.upper(), path) for path, calls in paths.items() for method in calls}
    assert described == PROTECTED | OF_ONE_RECORD | OPEN


def test_refusals_of_credentials_are_described(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    for method, path in PROTECTED:
        assert {"401", "429"} <= paths[path][method.lower()]["responses"].keys()


@pytest.mark.parametrize("call", sorted(PROTECTED))
def test_missing_credentials_are_refused(call: tuple[str, str], send: Send) -> None:
    answer = send(call, {})
    refused(answer, 401, "bad_credentials")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("call", sorted(PROTECTED))
@pytest.mark.parametrize("kind", MALFORMED)
def test_malformed_credentials_are_refused(call: tuple[str, str], kind: str, send: Send) -> None:
    refused(send(call, MALFORMED[kind]), 401, "bad_credentials")


@pytest.mark.parametrize("call", sorted(PROTECTED))
@pytest.mark.parametrize("kind", WITH_A_GOOD_TOKEN)
def test_a_good_token_needs_its_own_user_id(
    call: tuple[str, str], kind: str, send: Send, owner: User
) -> None:
    credentials = {"params": WITH_A_GOOD_TOKEN[kind] | {"token": owner.token}}
    refused(send(call, credentials), 401, "bad_credentials")


@pytest.mark.parametrize("call", sorted(PROTECTED))
def test_anothers_token_is_refused(
    call: tuple[str, str], send: Send, owner: User, eve: User
) -> None:
    credentials = {"user_id": owner.id, "token": eve.token}
    refused(send(call, {"params": credentials}), 401, "bad_credentials")


@pytest.mark.parametrize("call", sorted(PROTECTED))
def test_two_different_tokens_are_refused(
    call: tuple[str, str], send: Send, owner: User, eve: User
) -> None:
    both = {"params": owner.credentials, "headers": {"Authorization": f"Bearer {eve.token}"}}
    refused(send(call, both), 401, "bad_credentials")


def test_another_user_sees_only_their_own(send: Send, owner: User, eve: User) -> None:
    theirs = {"params": eve.credentials}
    refused(send(("DELETE", "/records/{record_id}"), theirs), 404, "record_not_found")
    uploaded = send(("POST", "/record"), theirs).json()["id"]
    listed = send(("GET", "/records"), theirs).json()["records"]
    assert [record["id"] for record in listed] == [uploaded]


def test_a_download_needs_the_records_user(
    client: httpx.Client, record_id: str, owner: User, eve: User
) -> None:
    def download(**user: str) -> httpx.Response:
        return client.get("/record", params={"id": record_id, **user})

    assert download(user_id=owner.id).status_code == 200
    refused(download(user_id=eve.id), 404, "record_not_found")
    refused(download(), 422, "bad_request")
    refused(download(user_id="\0"), 422, "bad_request")


@pytest.mark.parametrize("path", ["/records/{}", "/records/{}/events"])
def test_a_records_id_needs_no_token(client: httpx.Client, record_id: str, path: str) -> None:
    assert client.get(path.format(record_id)).status_code == 200
    bad = {"Authorization": "Bearer unknown"}
    assert client.get(path.format(record_id), headers=bad).status_code == 200
    refused(client.get(path.format(uuid4())), 404, "record_not_found")
    refused(client.get(path.format("malformed")), 422, "bad_request")


@pytest.mark.parametrize("path", sorted(path for method, path in OPEN if method == "GET"))
def test_open_calls_ignore_credentials(client: httpx.Client, path: str) -> None:
    for value in (b"Bearer unknown", b"Basic", b"\xff"):
        headers = [(b"Authorization", value)]
        assert client.get(path, headers=headers).status_code == 200
