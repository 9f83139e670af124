"""PUT /mp3/{filename}: a WAV in, its MP3 out."""

import subprocess
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest

from tests.api.conftest import AnotherApi, StartApi
from tests.api.test_clients import program
from tests.api.test_raw_uploads import put
from tests.api.test_records import undecodable_wav
from tests.api.wire import SHORT_WAV, eventually, refused, wire
from tests.conftest import User


def listed(user: User) -> list[dict[str, str]]:
    found: list[dict[str, str]]
    found = user.client.get("/records", params=user.credentials).json()["records"]
    return found


def test_the_answer_is_the_mp3(user: User) -> None:
    answer = put(user)
    assert answer.status_code == 200, answer.text
    (record,) = listed(user)
    download = user.client.get(record["download_link"])
    assert answer.content == download.content
    same = (
        "ETag",
        "Content-Type",
        "Content-Length",
        "Content-Disposition",
        "Cache-Control",
        "Accept-Ranges",
    )
    assert [answer.headers[name] for name in same] == [download.headers[name] for name in same]
    assert user.client.get(answer.headers["Location"]).json()["id"] == record["id"]


def test_options_are_applied(user: User) -> None:
    query = user.credentials | {"bitrate_kbps": "64", "title": "Morning"}
    answer = user.client.put("/mp3/a.wav", params=query, content=SHORT_WAV)
    assert answer.status_code == 200, answer.text
    assert user.convert(SHORT_WAV, bitrate_kbps=64, title="Morning") == answer.content
    refused(
        user.client.put("/mp3/b.wav", params=query | {"qualty": "2"}, content=SHORT_WAV),
        422,
        "unknown_parameter",
    )


def test_a_taken_filename_is_replaced_if_asked(user: User) -> None:
    put(user)
    refused(put(user), 409, "filename_taken")
    query = user.credentials | {"if_exists": "replace"}
    assert user.client.put("/mp3/song.wav", params=query, content=SHORT_WAV).status_code == 200
    assert len(listed(user)) == 1


def test_another_preference_is_not_applied(user: User) -> None:
    assert "Preference-Applied" not in put(user, Prefer="respond-async").headers


@pytest.mark.parametrize("prefer", ["wait=0", "wait=1"])
def test_a_late_mp3_is_announced(
    user: User, frozen_workers: AbstractContextManager[None], prefer: str
) -> None:
    with frozen_workers:
        before_s = time.monotonic()
        answer = put(user, Prefer=prefer)
        assert time.monotonic() - before_s < 10
    assert answer.status_code == 202, answer.text
    accepted = answer.json()
    assert answer.headers["Location"] == accepted["status_link"]
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.headers.get("Preference-Applied") == ("wait=1" if prefer == "wait=1" else None)
    assert user.client.get(accepted["download_link"]).headers["Content-Type"] == "audio/mpeg"


def test_a_failed_record_is_answered_with_its_problem(user: User) -> None:
    answer = put(user, undecodable_wav())
    (record,) = listed(user)
    assert record["status"] == "failed"
    error = user.client.get(f"/records/{record['id']}").json()["error"]
    refused(answer, error["status"], error["code"])
    assert answer.json() == error
    assert answer.headers["Location"].endswith(record["id"])


def test_a_record_deleted_meanwhile_is_gone(
    user: User, frozen_workers: AbstractContextManager[None]
) -> None:
    with frozen_workers, ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(put, user)
        eventually(lambda: [each["status"] for each in listed(user)] == ["queued"])
        user.client.delete(f"/records/{listed(user)[0]['id']}", params=user.credentials)
        refused(waiting.result(timeout=25), 410, "record_gone")


def test_a_client_that_leaves_keeps_its_record(
    service_url: str, user: User, frozen_workers: AbstractContextManager[None]
) -> None:
    with frozen_workers, wire(service_url) as connection:
        query = urlencode(user.credentials)
        head = f"PUT /mp3/a.wav?{query} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(SHORT_WAV)}\r\n\r\n"
        connection.send(head.encode(), SHORT_WAV)
        eventually(lambda: [each["status"] for each in listed(user)] == ["queued"])
    record_id = listed(user)[0]["id"]
    assert user.wait(record_id)["status"] == "done"


@pytest.fixture(scope="module")
def few_waits(start_api: StartApi) -> AnotherApi:
    return start_api({"MAX_WAITING": "1", "MAX_SHARE_PER_ADDRESS": "1"})


def test_an_upload_that_may_not_wait_is_announced(
    few_waits: AnotherApi, frozen_workers: AbstractContextManager[None]
) -> None:
    user = few_waits.user()
    with ThreadPoolExecutor(2) as threads:
        with frozen_workers:
            uploads = [threads.submit(put, user, SHORT_WAV, name) for name in ("a.wav", "b.wav")]
            # Either of them may be the one that waits.
            announced, waiting = wait(uploads, timeout=30, return_when=FIRST_COMPLETED)
            assert [each.result().status_code for each in announced] == [202]
        assert [each.result(timeout=30).status_code for each in waiting] == [200]


def test_a_stopping_service_announces_the_record(
    start_api: StartApi, frozen_workers: AbstractContextManager[None]
) -> None:
    api = start_api({})
    user = api.user()
    with frozen_workers, ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(put, user)
        eventually(lambda: [each["status"] for each in listed(user)] == ["queued"])
        api.terminate()
        answer: httpx.Response = waiting.result(timeout=25)
    assert answer.status_code == 202, answer.text


@pytest.mark.parametrize("path", ["/mp3/song.wav", "/mp3/"])
def test_curl_saves_the_mp3(user: User, tmp_path: Path, path: str) -> None:
    """curl adds the file's name to a URL that ends with a slash."""
    (tmp_path / "song.wav").write_bytes(SHORT_WAV)
    url = f"{str(user.client.base_url).rstrip('/')}{path}?{urlencode(user.credentials)}&quality=2"
    curl = [program("curl"), "-sSf", "--noproxy", "*", "-T", "song.wav", url, "-o", "song.mp3"]
    subprocess.run(curl, check=True, capture_output=True, cwd=tmp_path)
    assert (tmp_path / "song.mp3").read_bytes() == user.client.get(
        listed(user)[0]["download_link"]
    ).content
