"""Two uploads of one filename: taking over, replacing and renaming."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest

from api.reservation import SILENT_S
from tests.api.conftest import AnotherApi, StartApi
from tests.api.wire import END, SHORT_WAV, Wire, eventually, part, refused, wire
from tests.conftest import User
from tests.wavs import build, sine

LeftBehind = Callable[[], list[object]]
NEVER_IDLE = {"UPLOAD_IDLE_TIMEOUT_S": "60"}
OF_ONE_RECORD = 3
"""its row, its MP3 and its waveform"""
OTHER_WAV = build(sine(22050), sample_rate_hz=44100)


@pytest.fixture(scope="module")
def patient(start_api: StartApi) -> AnotherApi:
    """An API that does not end a silent upload itself."""
    return start_api(NEVER_IDLE)


def records(user: User) -> list[dict[str, object]]:
    found: list[dict[str, object]]
    found = user.client.get("/records", params=user.credentials).json()["records"]
    return found


@contextmanager
def uploading(url: str, user: User, **options: str) -> Iterator[Wire]:
    """Begin an upload of `wire.wav` that does not end by itself."""
    before = len(records(user))
    with wire(url) as connection:
        connection.begin(user, ("Transfer-Encoding", "chunked"), **options)
        connection.send_chunks([part(SHORT_WAV)])
        eventually(lambda: len(records(user)) > before)
        yield connection


def test_a_silent_upload_is_taken_over(
    patient: AnotherApi, user: User, left_behind: LeftBehind
) -> None:
    with uploading(patient.url, user) as silent:
        accepted = user.upload(SHORT_WAV, "wire.wav")
        assert accepted.status_code == 202, accepted.text
        record = user.wait(accepted.json()["id"])
        assert record["status"] == "done"
        eventually(lambda: len(left_behind()) == OF_ONE_RECORD)
        silent.send_chunks([bytes(1000)])
        time.sleep(2)
        silent.send_chunks([bytes(1000)])
        refused(silent.answer(), 410, "upload_replaced")
    assert records(user) == [record]
    assert user.client.get(str(record["download_link"])).is_success


def test_a_taken_over_upload_is_not_accepted(patient: AnotherApi, user: User) -> None:
    with uploading(patient.url, user) as silent:
        accepted = user.upload(SHORT_WAV, "wire.wav")
        assert accepted.status_code == 202, accepted.text
        silent.send_chunks([END])
        silent.end_chunks()
        refused(silent.answer(), 410, "upload_replaced")
    assert user.wait(accepted.json()["id"])["status"] == "done"


def test_a_killed_api_frees_its_filenames(
    start_api: StartApi, user: User, left_behind: LeftBehind
) -> None:
    doomed = start_api(NEVER_IDLE)
    with uploading(doomed.url, user):
        doomed.kill()
        before_s = time.monotonic()
        accepted = user.upload(SHORT_WAV, "wire.wav")
        assert accepted.status_code == 202, accepted.text
        assert SILENT_S - 1.5 < time.monotonic() - before_s < SILENT_S + 6
    user.wait(accepted.json()["id"])
    eventually(lambda: len(left_behind()) == OF_ONE_RECORD)


def test_a_slow_upload_is_not_taken_over(service_url: str, user: User) -> None:
    with uploading(service_url, user) as slow, ThreadPoolExecutor(1) as thread:
        answer = thread.submit(user.upload, SHORT_WAV, "wire.wav")
        while not answer.done():
            slow.send_chunks([b"a"])
            time.sleep(0.1)
        (record,) = records(user)
    detail = refused(answer.result(), 409, "filename_taken")
    assert "is still uploading" in detail
    assert int(answer.result().headers["Retry-After"]) > 0
    assert answer.result().json()["record_id"] == record["id"]


def test_one_of_two_contenders_takes_over(patient: AnotherApi, user: User) -> None:
    with uploading(patient.url, user), ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(lambda _: user.upload(SHORT_WAV, "wire.wav"), range(2)))
    assert sorted(answer.status_code for answer in answers) == [202, 409]


def test_a_done_record_is_not_taken_over(user: User) -> None:
    user.upload(SHORT_WAV, "wire.wav")
    before_s = time.monotonic()
    refused(user.upload(SHORT_WAV, "wire.wav"), 409, "filename_taken")
    assert time.monotonic() - before_s < SILENT_S


def test_replace_deletes_the_old_record(user: User, left_behind: LeftBehind) -> None:
    old = user.wait(user.upload(SHORT_WAV, "wire.wav").json()["id"])
    answer = user.upload(OTHER_WAV, "wire.wav", if_exists="replace")
    assert answer.status_code == 202
    assert answer.json()["filename"] == "wire.wav"
    new = user.wait(answer.json()["id"])
    assert new["duration_s"] == 0.5
    refused(user.client.get(str(old["download_link"])), 410, "record_gone")
    assert records(user) == [new]
    eventually(lambda: len(left_behind()) == OF_ONE_RECORD)


def test_replacing_keeps_the_old_mp3_until_accepted(
    service_url: str, user: User, left_behind: LeftBehind
) -> None:
    old = user.wait(user.upload(SHORT_WAV, "wire.wav").json()["id"])
    with uploading(service_url, user, if_exists="replace"):
        assert user.client.get(str(old["download_link"])).is_success
        refused(user.upload(SHORT_WAV, "wire.wav"), 409, "filename_taken")
    eventually(lambda: len(left_behind()) == OF_ONE_RECORD)
    assert records(user) == [old]
    refused(user.upload(b"fLaC", "wire.wav", if_exists="replace"), 415, "not_a_wav")
    assert user.client.get(str(old["download_link"])).is_success


def test_replace_takes_over_and_replaces(patient: AnotherApi, user: User) -> None:
    user.wait(user.upload(SHORT_WAV, "wire.wav").json()["id"])
    with uploading(patient.url, user, if_exists="replace"):
        answer = user.upload(OTHER_WAV, "wire.wav", if_exists="replace")
        assert answer.status_code == 202, answer.text
    (record,) = records(user)
    assert record["id"] == answer.json()["id"]


def test_replace_without_an_old_record_is_an_upload(user: User) -> None:
    assert user.upload(SHORT_WAV, "x.wav", if_exists="replace").status_code == 202


def test_racing_replacements_leave_one_record(user: User) -> None:
    user.upload(SHORT_WAV, "race.wav")
    send = lambda _: user.upload(OTHER_WAV, "race.wav", if_exists="replace")  # noqa: E731
    with ThreadPoolExecutor(6) as threads:
        answers: list[httpx.Response] = list(threads.map(send, range(12)))
    accepted = {answer.json()["id"] for answer in answers if answer.status_code == 202}
    assert {answer.status_code for answer in answers} <= {202, 409}
    (record,) = records(user)
    assert record["id"] in accepted
    assert user.wait(str(record["id"]))["status"] == "done"


def test_rename_numbers_the_filename(user: User) -> None:
    sent = ["song.wav", "song.wav", "song.wav", "song (2).wav", "no suffix", "no suffix"]
    answers = [user.upload(SHORT_WAV, name, if_exists="rename") for name in sent]
    names = [answer.json()["filename"] for answer in answers]
    assert names == [
        "song.wav", "song (2).wav", "song (3).wav", "song (2) (2).wav", "no suffix", "no suffix (2)",
    ]  # fmt: skip
    assert [record["filename"] for record in records(user)] == names[::-1]


def test_a_renamed_long_filename_stays_in_its_limit(user: User) -> None:
    names = [
        user.upload(SHORT_WAV, "Ю" * 496 + ".wav", if_exists="rename").json()["filename"]
        for _ in range(2)
    ]
    assert names == ["Ю" * 496 + ".wav", "Ю" * 492 + " (2).wav"]


def test_racing_renames_get_different_filenames(user: User) -> None:
    send = lambda _: user.upload(SHORT_WAV, "race.wav", if_exists="rename").json()  # noqa: E731
    with ThreadPoolExecutor(6) as threads:
        names = {answer["filename"] for answer in threads.map(send, range(12))}
    assert names == {"race.wav", *(f"race ({number}).wav" for number in range(2, 13))}


def test_if_exists_is_a_form_field_too(user: User) -> None:
    files = {"wav_file": ("x.wav", SHORT_WAV)}
    for expected in ("x.wav", "x (2).wav"):
        answer = user.client.post(
            "/record", params=user.credentials, data={"if_exists": "rename"}, files=files
        )
        assert answer.json()["filename"] == expected
