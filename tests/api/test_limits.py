"""Refusals that depend on the settings. Each setting has an API process of its own."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

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


def ids(user: User) -> list[str]:
    listed = user.client.get("/records", params=user.credentials).json()["records"]
    return [record["id"] for record in listed]


@pytest.fixture(scope="module")
def full(start_api: StartApi) -> AnotherApi:
    return start_api({"MIN_FREE_BYTES": str(10**18)})


def test_a_file_of_maximum_size_is_accepted(small: AnotherApi) -> None:
    size_bytes = MAX_UPLOAD_BYTES - len(wav_head(0))
    user = small.user()
    answer = user.upload(wav_head(size_bytes) + bytes(size_bytes))
    assert answer.status_code == 202, answer.text
    user.wait(answer.json()["id"])


def test_one_byte_more_is_refused(small: AnotherApi) -> None:
    user = small.user()
    answer = user.upload(wav_head(MAX_UPLOAD_BYTES - 43) + bytes(MAX_UPLOAD_BYTES - 43))
    detail = refused(answer, 413, "upload_too_large")
    assert detail.endswith(" It accepts 1.0 MB (1000000 bytes).")
    assert ids(user) == []


def test_content_length_is_checked_before_the_body(small: AnotherApi) -> None:
    with wire(small.url) as connection:
        connection.begin(small.user(), ("Content-Length", 2 * MAX_UPLOAD_BYTES))
        assert "(1000000 bytes)" in refused(connection.answer(), 413, "upload_too_large")


@pytest.mark.parametrize(
    ("size_bytes", "status"), [(MAX_UPLOAD_BYTES, 415), (MAX_UPLOAD_BYTES + 1, 413)]
)
def test_the_limit_of_a_raw_body_is_exact(small: AnotherApi, size_bytes: int, status: int) -> None:
    """A body within the limit is refused for its content."""
    user = small.user()
    answer = user.client.put("/mp3/a.wav", params=user.credentials, content=bytes(size_bytes))
    assert answer.status_code == status, answer.text


def test_a_chunked_body_has_the_same_limit(small: AnotherApi) -> None:
    user = small.user()
    with wire(small.url) as connection:
        connection.begin(user, ("Transfer-Encoding", "chunked"))
        connection.send_chunks([part(wav_head(10**9)), *[bytes(100_000)] * 30, END])
        connection.end_chunks()
        refused(connection.answer(), 413, "upload_too_large")
    assert ids(user) == []


def test_links_start_with_the_public_url(small: AnotherApi) -> None:
    user = small.user()
    accepted = user.upload(SHORT_WAV).json()
    assert accepted["status_link"] == f"https://audio.example/convert/records/{accepted['id']}"
    assert accepted["download_link"].startswith("https://audio.example/convert/record?id=")
    link = f"https://audio.example/convert/record?id={accepted['id']}&user_id={user.id}"
    assert user.wait(accepted["id"])["download_link"] == link


def test_pending_records_are_limited(small: AnotherApi) -> None:
    user = small.user()
    with wire(small.url) as connection:
        connection.begin(user, ("Transfer-Encoding", "chunked"))
        connection.send_chunks([part(SHORT_WAV, b"first.wav") + END])
        eventually(lambda: ids(user) != [])
        answer = user.upload(SHORT_WAV, "second.wav")
        refused(answer, 429, "too_many_pending")
        assert int(answer.headers["Retry-After"]) > 0
        connection.end_chunks()
        assert connection.answer().status_code == 202


def test_a_full_volume_refuses_before_the_body(full: AnotherApi) -> None:
    with wire(full.url) as connection:
        connection.begin(full.user(), ("Content-Length", 100))
        answer = connection.answer()
        refused(answer, 507, "no_space")
        assert int(answer.headers["Retry-After"]) > 0


def test_a_full_volume_is_not_ready(full: AnotherApi) -> None:
    answer = full.client.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["volume"] == "not ready"


def test_the_size_limit_excludes_the_form(small: AnotherApi) -> None:
    size_bytes = MAX_UPLOAD_BYTES - len(wav_head(0))
    body = form(wav_head(size_bytes) + bytes(size_bytes), b"n" * 400 + b".wav")
    user = small.user()
    with wire(small.url) as connection:
        connection.begin(user, ("Content-Length", len(body)))
        connection.send(body)
        assert connection.answer().status_code == 202


def test_a_recording_that_is_too_long_is_refused(start_api: StartApi) -> None:
    user = start_api({"MAX_DURATION_S": "0.001"}).user()
    refused(user.upload(SHORT_WAV), 422, "too_long")


def test_an_mp3_that_would_be_too_large_is_refused(start_api: StartApi) -> None:
    user = start_api({"MAX_MP3_BYTES": "1000"}).user()
    refused(user.upload(SHORT_WAV, bitrate_kbps=320), 422, "mp3_too_large")


def test_concurrent_uploads_keep_the_pending_limit(
    start_api: StartApi,
    frozen_workers: AbstractContextManager[None],
) -> None:
    user = start_api({"MAX_PENDING_RECORDS": "5"}).user()
    with frozen_workers, ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda n: user.upload(SHORT_WAV, f"{n}.wav"), range(20)))
    refusals = [answer for answer in answers if answer.status_code != 202]
    assert len(refusals) == 15
    for answer in refusals:
        refused(answer, 429, "too_many_pending")


def test_pending_records_of_all_are_limited(start_api: StartApi) -> None:
    api = start_api({"MAX_PENDING_RECORDS_IN_ALL": "1"})
    user, other = api.user(), api.user()
    # Records of other tests may still be pending.
    eventually(lambda: user.upload(SHORT_WAV).is_success, within_s=30)
    user.wait(ids(user)[0])
    with wire(api.url) as connection:
        connection.begin(user, ("Transfer-Encoding", "chunked"))
        connection.send_chunks([part(SHORT_WAV) + END])
        eventually(lambda: len(ids(user)) == 2)
        answer = other.upload(SHORT_WAV)
        refused(answer, 429, "too_many_pending_in_all")
        assert int(answer.headers["Retry-After"]) > 0


@pytest.fixture(scope="module")
def stingy(start_api: StartApi) -> AnotherApi:
    return start_api({"MAX_STORED_BYTES": str(len(SHORT_WAV))})


def test_a_deleted_record_makes_room(stingy: AnotherApi) -> None:
    user = stingy.user()
    first = user.upload(SHORT_WAV, "first.wav").json()["id"]
    user.wait(first)
    detail = refused(user.upload(SHORT_WAV, "second.wav"), 507, "user_storage_full")
    assert "Delete records" in detail
    assert ids(user) == [first]
    assert user.client.delete(f"/records/{first}", params=user.credentials).is_success
    assert user.upload(SHORT_WAV, "second.wav").status_code == 202


def test_stored_bytes_are_checked_before_the_body(stingy: AnotherApi) -> None:
    with wire(stingy.url) as connection:
        connection.begin(stingy.user(), ("Content-Length", 100_000))
        refused(connection.answer(), 507, "user_storage_full")


def test_a_chunked_body_keeps_the_storage_limit(stingy: AnotherApi) -> None:
    user = stingy.user()
    with wire(stingy.url) as connection:
        connection.begin(user, ("Transfer-Encoding", "chunked"))
        connection.send_chunks([part(SHORT_WAV + bytes(2)) + END])
        connection.end_chunks()
        refused(connection.answer(), 507, "user_storage_full")
    assert ids(user) == []


def test_a_replacement_needs_no_second_room(stingy: AnotherApi) -> None:
    user = stingy.user()
    user.upload(SHORT_WAV)
    assert user.upload(SHORT_WAV, if_exists="replace").status_code == 202


def test_the_storage_of_all_is_limited(start_api: StartApi) -> None:
    user = start_api({"MAX_STORED_BYTES_IN_ALL": "1"}).user()
    answer = user.upload(SHORT_WAV)
    refused(answer, 507, "service_storage_full")
    assert int(answer.headers["Retry-After"]) > 0
