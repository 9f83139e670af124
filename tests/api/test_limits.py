"""Refusals that depend on the settings, by an API of its own for each."""

import pytest

from tests.api.conftest import AnotherApi, StartApi
from tests.api.wire import END, SHORT_WAV, eventually, form, part, refused, wav_head, wire
from tests.conftest import User

MAX_UPLOAD_BYTES = 1_000_000


@pytest.fixture(scope="module")
def small(start_api: StartApi) -> AnotherApi:
    return start_api(
        {
            "MAX_UPLOAD_BYTES": str(MAX_UPLOAD_BYTES),
            "MAX_PENDING_RECORDS": "1",
            "PUBLIC_URL": "https://audio.example/convert/",
        }
    )


@pytest.fixture(scope="module")
def full(start_api: StartApi) -> AnotherApi:
    return start_api({"MIN_FREE_BYTES": str(10**18)})


def records(user: User) -> object:
    return user.client.get("/records", params=user.credentials).json()["records"]


def test_a_file_of_exactly_the_largest_size_is_taken(small: AnotherApi) -> None:
    size_bytes = MAX_UPLOAD_BYTES - len(wav_head(0))
    user = small.user()
    answer = user.upload(wav_head(size_bytes) + bytes(size_bytes))
    assert answer.status_code == 202, answer.text
    user.wait(answer.json()["id"])


def test_a_file_one_byte_larger_is_refused(small: AnotherApi) -> None:
    user = small.user()
    answer = user.upload(wav_head(MAX_UPLOAD_BYTES - 43) + bytes(MAX_UPLOAD_BYTES - 43))
    refused(answer, 413, "upload_too_large")
    assert records(user) == []


def test_a_file_announced_as_too_large_is_refused_before_it_is_sent(small: AnotherApi) -> None:
    with wire(small.url) as connection:
        connection.begin(small.user(), ("Content-Length", 2 * MAX_UPLOAD_BYTES))
        refused(connection.answer(), 413, "upload_too_large")


def test_a_file_of_unannounced_size_is_refused_when_it_gets_too_large(small: AnotherApi) -> None:
    user = small.user()
    with wire(small.url) as connection:
        connection.begin(user, ("Transfer-Encoding", "chunked"))
        connection.send_chunks([part(wav_head(10**9)), *[bytes(100_000)] * 30, END])
        connection.end_chunks()
        refused(connection.answer(), 413, "upload_too_large")
    assert records(user) == []


def test_links_begin_with_the_public_address(small: AnotherApi) -> None:
    user = small.user()
    accepted = user.upload(SHORT_WAV).json()
    assert accepted["status_link"] == f"https://audio.example/convert/records/{accepted['id']}"
    assert accepted["download_link"].startswith("https://audio.example/convert/record?id=")
    link = f"https://audio.example/convert/record?id={accepted['id']}&user_id={user.id}"
    assert user.wait(accepted["id"])["download_link"] == link


def test_a_user_with_too_much_pending_has_to_wait(small: AnotherApi) -> None:
    user = small.user()
    with wire(small.url) as connection:
        connection.begin(user, ("Transfer-Encoding", "chunked"))
        connection.send_chunks([part(SHORT_WAV, b"first.wav") + END])
        eventually(lambda: records(user) != [])
        answer = user.upload(SHORT_WAV, "second.wav")
        refused(answer, 429, "too_many_pending")
        assert int(answer.headers["Retry-After"]) > 0
        connection.end_chunks()
        assert connection.answer().status_code == 202


def test_a_full_volume_refuses_before_the_body(full: AnotherApi) -> None:
    with wire(full.url) as connection:
        connection.begin(full.user(), ("Content-Length", 100))
        refused(connection.answer(), 507, "no_space")


def test_a_full_volume_is_not_ready(full: AnotherApi) -> None:
    answer = full.client.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["volume"] == "not ready"


def test_a_form_may_be_a_little_larger_than_its_file(small: AnotherApi) -> None:
    size_bytes = MAX_UPLOAD_BYTES - len(wav_head(0))
    body = form(wav_head(size_bytes) + bytes(size_bytes), b"n" * 400 + b".wav")
    user = small.user()
    with wire(small.url) as connection:
        connection.begin(user, ("Content-Length", len(body)))
        connection.send(body)
        assert connection.answer().status_code == 202
