from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import pytest

from local.stack import Stack
from tests.api.conftest import StartApi
from tests.api.test_records import undecodable_wav
from tests.api.wire import SHORT_WAV, eventually, part, refused, wire
from tests.conftest import User, new_user
from tests.wavs import build, sine

FILENAME = "tone.wav"
BAD_WAV = undecodable_wav()
GOOD_WAV = build(sine((len(BAD_WAV) - len(build(sine(0)))) // 2))
"""As long as BAD_WAV."""


@pytest.fixture
def source(stack: Stack, user: User) -> Callable[[str], Path]:
    return lambda record_id: stack.data_dir / "media" / user.id / f"{record_id}.wav"


@pytest.fixture
def failed(user: User, source: Callable[[str], Path]) -> str:
    """The id of a failed record. Its source is now a good WAV, so it can be converted."""
    record_id = user.upload(BAD_WAV, FILENAME, quality=4, artist="Anna").json()["id"]
    assert user.wait(record_id)["status"] == "failed"
    source(record_id).write_bytes(GOOD_WAV)
    return str(record_id)


def retry(user: User, record_id: str, **options: str | int) -> httpx.Response:
    params = {**user.credentials, **options}
    return user.client.post(f"/records/{record_id}/retry", params=params)


def status_of_newest(user: User) -> object:
    return user.client.get("/records", params=user.credentials).json()["records"][0]["status"]


def test_a_retry_converts_the_kept_source(user: User, failed: str) -> None:
    answer = retry(user, failed)
    assert answer.status_code == 202, answer.text
    upload = user.upload(SHORT_WAV, "other.wav")
    assert answer.json().keys() == upload.json().keys()
    assert answer.json()["filename"] == FILENAME
    assert answer.headers["Location"] == answer.json()["status_link"]
    assert answer.headers["Retry-After"] == upload.headers["Retry-After"]
    record = user.wait(failed)
    assert record["status"] == "done"
    assert record["error"] is None
    mp3 = user.client.get(answer.json()["download_link"])
    assert mp3.status_code == 200
    assert len(mp3.content) == record["mp3_bytes"]


def test_a_retry_keeps_the_options(user: User, failed: str) -> None:
    retry(user, failed)
    options = user.wait(failed)["options"]
    assert isinstance(options, dict)
    assert (options["quality"], options["artist"]) == (4, "Anna")


def test_new_options_replace_those_of_the_upload(user: User, failed: str) -> None:
    assert retry(user, failed, bitrate_kbps=128, title="Song").status_code == 202
    record = user.wait(failed)
    options, target = record["options"], record["target"]
    assert isinstance(options, dict)
    assert isinstance(target, dict)
    assert (options["quality"], options["bitrate_kbps"]) == (None, 128)
    assert (options["artist"], options["title"]) == ("Anna", "Song")
    assert (target["mode"], target["bitrate_kbps"]) == ("cbr", 128)


def test_bad_options_change_nothing(user: User, failed: str) -> None:
    refused(retry(user, failed, quality=1, bitrate_kbps=128), 422, "bad_options")
    refused(retry(user, failed, qualty=1), 422, "unknown_parameter")
    assert user.wait(failed)["status"] == "failed"


def test_one_of_many_retries_wins(
    user: User, failed: str, frozen_workers: AbstractContextManager[None]
) -> None:
    with frozen_workers:
        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(lambda _: retry(user, failed), range(8)))
        accepted = [answer for answer in answers if answer.status_code == 202]
        assert len(accepted) == 1
        for answer in answers:
            if answer not in accepted:
                refused(answer, 409, "record_unfinished")
    assert user.wait(failed)["status"] == "done"


def test_a_record_can_fail_again(user: User, failed: str, source: Callable[[str], Path]) -> None:
    source(failed).write_bytes(BAD_WAV)
    assert retry(user, failed).status_code == 202
    assert user.wait(failed)["status"] == "failed"
    source(failed).write_bytes(GOOD_WAV)
    assert retry(user, failed).status_code == 202
    assert user.wait(failed)["status"] == "done"


def test_a_retry_keeps_the_storage_limit(
    start_api: StartApi, user: User, failed: str, source: Callable[[str], Path]
) -> None:
    samples = sine((len(BAD_WAV) - len(build(sine(0)))) // 2)
    source(failed).write_bytes(build(samples, sample_rate_hz=8000))
    strict = start_api({"MAX_STORED_BYTES": str(2 * len(BAD_WAV))})
    strict_user = User(strict.client, user.id, user.token)
    answer = retry(strict_user, failed, bitrate_kbps=320, sample_rate_hz=48000)
    refused(answer, 507, "user_storage_full")
    assert status_of_newest(user) == "failed"
    assert retry(strict_user, failed).status_code == 202
    assert user.wait(failed)["status"] == "done"


def test_done_records_have_no_source(user: User) -> None:
    record_id = user.upload(SHORT_WAV, FILENAME).json()["id"]
    user.wait(record_id)
    detail = refused(retry(user, record_id), 410, "source_gone")
    assert "if_exists=replace" in detail
    assert user.upload(SHORT_WAV, FILENAME, if_exists="replace").status_code == 202


def test_a_vanished_or_changed_source_is_gone(
    user: User, failed: str, source: Callable[[str], Path]
) -> None:
    source(failed).write_bytes(GOOD_WAV[:-2])
    refused(retry(user, failed), 410, "source_gone")
    source(failed).unlink()
    refused(retry(user, failed), 410, "source_gone")


def test_a_filename_taken_meanwhile_refuses_the_retry(user: User, failed: str) -> None:
    holder = user.upload(SHORT_WAV, FILENAME).json()["id"]
    answer = retry(user, failed)
    refused(answer, 409, "filename_taken")
    assert answer.json()["record_id"] == holder


def test_a_running_upload_refuses_the_retry(user: User, failed: str) -> None:
    with wire(str(user.client.base_url)) as upload:
        upload.begin(user, ("Content-Length", 100_000))
        upload.send(part(SHORT_WAV, FILENAME.encode())[:1000])
        eventually(lambda: status_of_newest(user) == "uploading")
        refused(retry(user, failed), 409, "filename_taken")


def test_deleted_and_other_users_records_are_refused(user: User, failed: str) -> None:
    other = new_user(user.client)
    refused(retry(other, failed), 404, "record_not_found")
    user.client.delete(f"/records/{failed}", params=user.credentials)
    refused(retry(user, failed), 410, "record_gone")
