import io
import os
from contextlib import AbstractContextManager
from pathlib import Path
from uuid import uuid4
from zipfile import ZIP_STORED, ZipFile

import httpx
import pytest

from local.stack import Stack
from tests.api.wire import SHORT_WAV, refused
from tests.conftest import User

UTF8_FLAG = 0x800
MORE_THAN_BUFFERS = 64 * 2**20
"""More than the buffers of a connection hold, so the server cannot send everything before the client reads."""


@pytest.fixture
def media_dir(stack: Stack, user: User) -> Path:
    return stack.data_dir / "media" / user.id


def convert(user: User, *filenames: str) -> list[str]:
    ids = [user.upload(SHORT_WAV, filename).json()["id"] for filename in filenames]
    for record_id in ids:
        assert user.wait(record_id)["status"] == "done"
    return ids


def archive(user: User, *ids: str) -> httpx.Response:
    return user.client.get("/records.zip", params=user.credentials | {"id": ids})


def unzip(answer: httpx.Response) -> ZipFile:
    assert answer.status_code == 200, answer.text
    opened = ZipFile(io.BytesIO(answer.content))
    assert opened.testzip() is None
    return opened


def test_an_archive_holds_all_done_mp3s(user: User) -> None:
    ids = convert(user, "one.wav", "two.wav")
    answer = archive(user)
    assert answer.headers["Content-Type"] == "application/zip"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="records.zip"'
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    opened = unzip(answer)
    assert opened.namelist() == ["one.mp3", "two.mp3"]
    assert {info.compress_type for info in opened.infolist()} == {ZIP_STORED}
    for record_id, name in zip(ids, opened.namelist(), strict=True):
        link = f"/record?id={record_id}&user_id={user.id}"
        assert opened.read(name) == user.client.get(link).content


def test_ids_choose_the_mp3s_and_their_order(user: User) -> None:
    one, _, three = convert(user, "one.wav", "two.wav", "three.wav")
    assert unzip(archive(user, three, one, three)).namelist() == ["three.mp3", "one.mp3"]


def test_the_token_may_be_a_header(user: User) -> None:
    convert(user, "one.wav")
    answer = user.client.get("/records.zip", headers={"Authorization": f"Bearer {user.token}"})
    assert unzip(answer).namelist() == ["one.mp3"]


def test_names_are_unique_if_case_is_ignored(user: User) -> None:
    convert(user, "a.wav", "A.WAV", "a.wave", "a (2).wav")
    names = unzip(archive(user)).namelist()
    assert names == ["a.mp3", "A (2).mp3", "a (3).mp3", "a (2) (2).mp3"]


def test_names_are_utf8_and_safe_on_windows(user: User) -> None:
    convert(user, "Привет: мир?.wav", "ж" * 400 + ".wav")
    infos = unzip(archive(user)).infolist()
    assert [info.filename for info in infos] == ["Привет_ мир_.mp3", "ж" * 125 + ".mp3"]
    assert all(info.flag_bits & UTF8_FLAG for info in infos)


def test_head_returns_the_size_of_any_archive(user: User, media_dir: Path) -> None:
    (record_id,) = convert(user, "long.wav")
    os.truncate(media_dir / f"{record_id}.mp3", 5 * 2**30)
    answer = user.client.head("/records.zip", params=user.credentials)
    assert answer.status_code == 200
    assert 0 < int(answer.headers["Content-Length"]) - 5 * 2**30 < 500
    assert answer.content == b""


def test_a_record_deleted_meanwhile_breaks_the_transfer(user: User, media_dir: Path) -> None:
    one, two = convert(user, "one.wav", "two.wav")
    os.truncate(media_dir / f"{one}.mp3", MORE_THAN_BUFFERS)
    with user.client.stream("GET", "/records.zip", params=user.credentials) as answer:
        assert answer.status_code == 200
        received = answer.iter_bytes()
        next(received)
        deleted = httpx.delete(f"{user.client.base_url}/records/{two}", params=user.credentials)
        assert deleted.status_code == 204
        with pytest.raises(httpx.RemoteProtocolError, match="closed connection"):
            for _ in received:
                pass


def test_an_archive_of_nothing_is_refused(user: User) -> None:
    detail = refused(archive(user), 404, "record_not_found")
    assert detail == "None of your records is done yet. Upload a WAV first."


def test_unfinished_records_cannot_be_archived(
    user: User, frozen_workers: AbstractContextManager[None]
) -> None:
    with frozen_workers:
        queued = user.upload(SHORT_WAV, "queued.wav").json()["id"]
        refused(archive(user, queued), 409, "record_not_ready")


def test_other_users_records_cannot_be_archived(user: User) -> None:
    created = user.client.post("/users", json={"name": "other"}).json()
    (record_id,) = convert(user, "one.wav")
    other = User(user.client, created["id"], created["token"])
    refused(archive(other, record_id), 404, "record_not_found")
    refused(archive(user, str(uuid4())), 404, "record_not_found")


def test_gone_records_cannot_be_archived(user: User, media_dir: Path) -> None:
    deleted, vanished = convert(user, "deleted.wav", "vanished.wav")
    user.client.delete(f"/records/{deleted}", params=user.credentials)
    refused(archive(user, deleted), 410, "record_gone")
    (media_dir / f"{vanished}.mp3").unlink()
    refused(archive(user, vanished), 410, "record_gone")


def test_an_archive_needs_credentials(user: User) -> None:
    refused(user.client.get("/records.zip"), 401, "bad_credentials")
    refused(user.client.get("/records.zip", params={"user_id": user.id}), 401, "bad_credentials")
