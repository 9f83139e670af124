"""GET /records/{id}, GET /records and DELETE /records/{id}."""

import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any
from uuid import uuid4

import httpx
import numpy as np
import pytest

from api.options import RecordOptions
from local.stack import Stack
from tests.api.metrics import until_waiting
from tests.api.wire import SHORT_WAV, eventually, part, refused, wav_head, wire
from tests.conftest import User, new_user
from tests.wavs import build, chunk, fmt_payload, wrap

FIELDS = {
    "id", "status", "progress", "queue_position",
    "waiting_for", "filename", "duration_s", "source_bytes", "mp3_bytes", "options", "target", "warnings",
    "error", "created_at", "finished_at", "expires_at", "download_link",
    "status_link", "events_link", "waveform_link", "webhook",
}  # fmt: skip
LINKS = {"download_link", "status_link", "events_link", "waveform_link"}


@pytest.fixture(scope="module")
def long_wav() -> bytes:
    """Return five minutes of noise, which take some seconds to encode."""
    noise = np.random.default_rng(1).integers(-20_000, 20_000, (48_000, 2), dtype=np.int16)
    return build(np.tile(noise, (300, 1)), sample_rate_hz=48_000)


def undecodable_wav() -> bytes:
    """Return a WAV whose header announces MP3 and whose content is noise. Only decoding shows that."""
    noise = np.random.default_rng(2).integers(0, 255, 20_000, np.uint8).tobytes()
    return wrap([chunk(b"fmt ", fmt_payload(tag=0x55, bits=0)), chunk(b"data", noise)])


def upload(user: User, wav: bytes, filename: str = "x.wav", **options: str | int) -> str:
    answer = user.upload(wav, filename, **options)
    assert answer.status_code == 202, answer.text
    record_id: str = answer.json()["id"]
    return record_id


def listed(user: User, **query: str) -> dict[str, list[dict[str, Any]]]:
    page: dict[str, list[dict[str, Any]]]
    page = user.client.get("/records", params=user.credentials | query).json()
    return page


def test_a_done_record_has_all_fields(user: User) -> None:
    record_id = upload(user, SHORT_WAV, "all.wav")
    record = user.wait(record_id)
    assert set(record) == FIELDS
    mp3 = user.client.get(str(record["download_link"]))
    assert mp3.is_success
    created, finished = (
        datetime.fromisoformat(str(record[f"{event}_at"])) for event in ("created", "finished")
    )
    assert created.tzinfo
    assert created < finished
    assert all(user.client.get(str(record[link])).is_success for link in LINKS - {"events_link"})
    assert {name: record[name] for name in FIELDS - LINKS - {"created_at", "finished_at"}} == {
        "id": record_id,
        "status": "done",
        "progress": 1.0,
        "queue_position": None,
        "waiting_for": None,
        "filename": "all.wav",
        "duration_s": 0.1,
        "source_bytes": len(SHORT_WAV),
        "mp3_bytes": len(mp3.content),
        "options": dict.fromkeys(RecordOptions.model_fields),
        "target": {"mode": "vbr", "quality": 2, "bitrate_kbps": None, "sample_rate_hz": 44100, "channels": 1,
                   "gain_db": 0.0},
        "warnings": [],
        "error": None,
        "expires_at": None,
        "webhook": None,
    }  # fmt: skip


def test_an_unfinished_record_has_no_download_link(user: User, long_wav: bytes) -> None:
    record_id = upload(user, long_wav, bitrate_kbps=320)
    record = user.client.get(f"/records/{record_id}").json()
    user.client.delete(f"/records/{record_id}", params=user.credentials)
    assert set(record) == FIELDS
    assert record["status"] in ("queued", "converting")
    assert record["download_link"] is None
    assert 0 <= record["progress"] < 1


def test_a_failed_record_explains_itself(user: User) -> None:
    record = user.wait(upload(user, undecodable_wav()))
    assert record["status"] == "failed"
    error = record["error"]
    assert isinstance(error, dict)
    assert error["code"]
    assert error["detail"].endswith(".")
    download = user.client.get("/record", params={"id": str(record["id"]), "user_id": user.id})
    refused(download, error["status"], error["code"])
    assert download.json() == error
    user.wait(upload(user, SHORT_WAV))


@pytest.mark.parametrize("prefer", ["wait=20", 'respond-async, Wait = "20"', "wait=99999999999"])
def test_prefer_wait_holds_the_answer(user: User, prefer: str) -> None:
    record_id = upload(user, SHORT_WAV)
    answer = user.client.get(f"/records/{record_id}", headers={"Prefer": prefer})
    assert answer.json()["status"] == "done"


def test_several_prefer_headers_are_one(user: User) -> None:
    record_id = upload(user, SHORT_WAV)
    headers = [("Prefer", "respond-async"), ("Prefer", "wait=20")]
    answer = user.client.get(f"/records/{record_id}", headers=headers)
    assert (answer.json()["status"], answer.headers["Preference-Applied"]) == ("done", "wait=20")


@pytest.mark.parametrize(
    "prefer",
    ["wait=", "wait=soon", "wait=-5", "wait=0", "wait=9e9", "await=20", "wait=20s", "wait=\xb2"],
)
def test_a_malformed_preference_is_ignored(user: User, service_url: str, prefer: str) -> None:
    with wire(service_url) as uploading:
        uploading.begin(user, ("Transfer-Encoding", "chunked"))
        uploading.send_chunks([part(wav_head(10**6))])
        eventually(lambda: bool(listed(user)["records"]))
        (record,) = listed(user)["records"]
        before_s = time.monotonic()
        answer = user.client.get(
            f"/records/{record['id']}", headers=[(b"Prefer", prefer.encode("latin-1"))]
        )
        assert answer.json()["status"] == "uploading"
        assert "Preference-Applied" not in answer.headers
        assert time.monotonic() - before_s < 8


def test_the_wait_ends_after_n_seconds(user: User, service_url: str) -> None:
    with wire(service_url) as uploading:
        uploading.begin(user, ("Transfer-Encoding", "chunked"))
        uploading.send_chunks([part(wav_head(10**6))])
        eventually(lambda: bool(listed(user)["records"]))
        (record,) = listed(user)["records"]
        before_s = time.monotonic()
        answer = user.client.get(f"/records/{record['id']}", headers={"Prefer": "wait=1"})
        assert answer.json()["status"] == "uploading"
        assert 0.9 < time.monotonic() - before_s < 10


@pytest.mark.parametrize("tail", ["", "/events"])
def test_an_unknown_record_is_not_found(client: httpx.Client, tail: str) -> None:
    refused(client.get(f"/records/{uuid4()}{tail}"), 404, "record_not_found")


@pytest.mark.parametrize("record_id", ["x", "..%2f..%2fetc%2fpasswd", "%00", "0" * 5000])
def test_a_malformed_id_is_refused(client: httpx.Client, record_id: str) -> None:
    for tail in ("", "/events"):
        answer = client.get(f"/records/{record_id}{tail}")
        refused(answer, *((404, "not_found") if "%2f" in record_id else (422, "bad_request")))


def test_pages_list_the_newest_first(user: User) -> None:
    uploaded = [upload(user, SHORT_WAV, f"{number}.wav") for number in range(5)]
    sizes: list[int] = []
    seen: list[str] = []
    link: str | None = "/records?limit=2"
    while link:
        page = user.client.get(link, headers={"Authorization": f"Bearer {user.token}"}).json()
        sizes.append(len(page["records"]))
        seen += [record["id"] for record in page["records"]]
        link = page["next"]
    assert sizes == [2, 2, 1]
    assert seen == uploaded[::-1]


@pytest.mark.parametrize(
    ("in_query", "in_header"),
    [
        (["user_id", "token"], ""),
        (["token"], ""),
        ([], "Authorization"),
        ([], "token"),
        (["user_id"], "Authorization"),
    ],
)
def test_next_works_with_the_same_credentials(
    user: User, in_query: list[str], in_header: str
) -> None:
    uploaded = [upload(user, SHORT_WAV, f"{number}.wav") for number in range(3)]
    query = {name: user.credentials[name] for name in in_query} | {"limit": "1"}
    token = {"Authorization": f"Bearer {user.token}", "token": user.token}.get(in_header, "")
    headers = {in_header: token} if in_header else {}
    page = user.client.get("/records", params=query, headers=headers).json()
    for record_id in reversed(uploaded[:2]):
        assert (user.token in page["next"]) == ("token" in in_query)
        page = user.client.get(page["next"], headers=headers).json()
        assert [record["id"] for record in page["records"]] == [record_id]
    assert page["next"] is None


def test_many_lists_at_once_are_answered(user: User) -> None:
    """More than the API has threads and connections to the database, which must not wait for each other."""
    with ThreadPoolExecutor(100) as threads:
        pages = list(threads.map(lambda _: listed(user), range(300)))
    assert pages == 300 * [{"records": [], "next": None}]


def test_a_list_can_have_one_filename_only(user: User) -> None:
    name = "a & ß.wav"
    failed = str(user.wait(upload(user, undecodable_wav(), name))["id"])
    kept = upload(user, SHORT_WAV, name)
    upload(user, SHORT_WAV, "b.wav")
    page = listed(user, filename=name, limit="1")
    assert [record["id"] for record in page["records"]] == [kept]
    older = user.client.get(str(page["next"])).json()
    assert [record["id"] for record in older["records"]] == [failed]
    assert older["next"] is None
    assert listed(user, filename="\0")["records"] == []


def test_a_list_shows_complete_records(user: User) -> None:
    ids = [upload(user, SHORT_WAV, f"{number}.wav") for number in range(4)]
    single = [user.wait(record_id) for record_id in ids]
    assert listed(user)["records"] == single[::-1]


def test_waiting_records_have_queue_positions(
    user: User, frozen_workers: AbstractContextManager[None]
) -> None:
    with frozen_workers:
        ids = [upload(user, SHORT_WAV, f"{number}.wav") for number in range(3)]
        positions = [record["queue_position"] for record in listed(user)["records"]]
        last = user.client.get(f"/records/{ids[-1]}").json()["queue_position"]
    assert positions == [3, 2, 1]
    assert last == 3


def test_users_list_only_their_own_records(user: User, client: httpx.Client) -> None:
    upload(user, SHORT_WAV)
    refused(client.get("/records"), 401, "bad_credentials")
    refused(client.get("/records", params={"user_id": user.id}), 401, "bad_credentials")
    created = client.post("/users", json={"name": "eve"}).json()
    assert listed(User(client, created["id"], created["token"]))["records"] == []


@pytest.mark.parametrize(
    "query", [{"limit": "0"}, {"limit": "101"}, {"limit": "x"}, {"before": "x"}]
)
def test_invalid_page_parameters_are_refused(user: User, query: dict[str, str]) -> None:
    refused(user.client.get("/records", params=user.credentials | query), 422, "bad_request")


def test_deleting_a_record_frees_everything(
    user: User, left_behind: Callable[[], list[object]]
) -> None:
    record_id = upload(user, SHORT_WAV, "again.wav")
    link = str(user.wait(record_id)["download_link"])
    deleted = user.client.delete(f"/records/{record_id}", params=user.credentials)
    assert deleted.status_code == 204
    assert deleted.content == b""
    assert "Content-Type" not in deleted.headers
    assert not left_behind()
    refused(user.client.get(f"/records/{record_id}"), 410, "record_gone")
    refused(user.client.get(f"/records/{record_id}/events"), 410, "record_gone")
    refused(user.client.get(link), 410, "record_gone")
    again = user.client.delete(f"/records/{record_id}", params=user.credentials)
    refused(again, 410, "record_gone")
    user.wait(upload(user, SHORT_WAV, "again.wav"))


def test_only_its_user_deletes_a_record(user: User, client: httpx.Client) -> None:
    record_id = upload(user, SHORT_WAV)
    eve = new_user(client)
    refused(client.delete(f"/records/{record_id}"), 401, "bad_credentials")
    refused(client.delete(f"/records/{record_id}", params=eve.credentials), 404, "record_not_found")
    assert client.delete(f"/records/{record_id}", params=user.credentials).is_success
    refused(client.delete(f"/records/{record_id}", params=eve.credentials), 404, "record_not_found")
    link = f"/record?id={record_id}&user_id={eve.id}"
    refused(client.get(link), 404, "record_not_found")


def test_deleting_an_unknown_record_is_refused(user: User) -> None:
    answer = user.client.delete(f"/records/{uuid4()}", params=user.credentials)
    refused(answer, 404, "record_not_found")


def test_deleting_a_record_stops_its_ffmpeg(
    stack: Stack, user: User, left_behind: Callable[[], list[object]], long_wav: bytes
) -> None:
    record_id = upload(user, long_wav, bitrate_kbps=320, sample_rate_hz=32000)
    eventually(lambda: bool(_ffmpegs(stack)))
    assert user.client.delete(f"/records/{record_id}", params=user.credentials).is_success
    eventually(lambda: not _ffmpegs(stack))
    eventually(lambda: not left_behind())


def test_deleting_a_record_wakes_waiting_clients(user: User, long_wav: bytes) -> None:
    record_id = upload(user, long_wav, bitrate_kbps=320)
    with ThreadPoolExecutor(1) as thread:
        status = f"/records/{record_id}"
        waiting = thread.submit(user.client.get, status, headers={"Prefer": "wait=30"})
        until_waiting(user.client)
        user.client.delete(status, params=user.credentials)
        refused(waiting.result(timeout=25), 410, "record_gone")


def _ffmpegs(stack: Stack) -> list[int]:
    """Return the ffmpeg processes of the stack's worker."""
    command = ["ps", "-A", "-o", "pid=,ppid=,comm="]
    listing = subprocess.run(command, check=True, capture_output=True)
    processes = [line.split(None, 2) for line in listing.stdout.decode().splitlines()]
    family = {stack.pid("worker")}
    for _ in range(5):
        family |= {int(pid) for pid, parent, _ in processes if int(parent) in family}
    return [int(pid) for pid, _, name in processes if int(pid) in family and "ffmpeg" in name]
