"""The API without the media volume, or with one that fails. A volume that is away is neither filled nor believed."""

import errno
import os
from pathlib import Path

import pytest

from api.health import _check_volume
from api.volume import require_volume
from shared import media
from shared.errors import StorageUnavailable
from shared.settings import get_settings
from tests.api.conftest import StartApi
from tests.api.metrics import metrics
from tests.api.wire import SHORT_WAV, refused
from tests.conftest import User
from tests.shared.db import rows


@pytest.mark.usefixtures("database")
def test_a_new_volume_is_marked() -> None:
    media_dir = get_settings().media_dir
    require_volume(media_dir)
    assert (media_dir / media.MARKER).exists()


@pytest.mark.usefixtures("database")
def test_the_volume_of_an_older_release_is_marked() -> None:
    media_dir = get_settings().media_dir
    rows.add_record()
    (media_dir / "00000000-0000-0000-0000-000000000001").mkdir()
    require_volume(media_dir)
    assert (media_dir / media.MARKER).exists()


@pytest.mark.usefixtures("database")
def test_an_empty_mount_point_is_not_the_volume() -> None:
    media_dir = get_settings().media_dir
    rows.add_record()
    with pytest.raises(StorageUnavailable):
        require_volume(media_dir)
    assert not (media_dir / media.MARKER).exists()


@pytest.mark.usefixtures("database")
def test_a_volume_that_refuses_changes_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """After an error of the disk, `os.access` may still say that the volume is writable."""
    _check_volume()
    original = os.open

    def refuse_new_files(path: str, flags: int, mode: int = 0o777, **folder: int) -> int:
        if flags & os.O_CREAT:
            raise OSError(errno.EROFS, "Read-only file system")
        return original(path, flags, mode, **folder)

    monkeypatch.setattr(os, "open", refuse_new_files)
    with pytest.raises(OSError, match="Read-only"):
        _check_volume()


@pytest.fixture
def unmounted(user: User, tmp_path: Path) -> Path:
    """Create an empty mount point, beside a database with a record."""
    user.wait(user.upload(SHORT_WAV).json()["id"])
    folder = tmp_path / "unmounted"
    folder.mkdir()
    return folder


def test_an_upload_without_its_volume_is_refused(start_api: StartApi, unmounted: Path) -> None:
    api = start_api({"MEDIA_DIR": str(unmounted)})
    user = api.user()
    rows_before = list(unmounted.iterdir())
    refused(user.upload(SHORT_WAV), 503, "storage_unavailable")
    assert list(unmounted.iterdir()) == rows_before == []
    assert user.client.get("/records", params=user.credentials).json()["records"] == []


def test_an_mp3_without_its_volume_is_not_gone(
    start_api: StartApi, unmounted: Path, user: User
) -> None:
    api = start_api({"MEDIA_DIR": str(unmounted)})
    (record,) = user.client.get("/records", params=user.credentials).json()["records"]
    link = f"/records/{record['id']}"
    archive = f"/records.zip?user_id={user.id}&token={user.token}"
    for path in (f"{link}/mp3", f"{link}/waveform", archive):
        answer = api.client.get(path)
        refused(answer, 503, "storage_unavailable")
        assert int(answer.headers["Retry-After"]) > 0


def test_a_failing_volume_prevents_no_deletion(
    start_api: StartApi, user: User, tmp_path: Path
) -> None:
    record_id = user.upload(SHORT_WAV).json()["id"]
    user.wait(record_id)
    (tmp_path / user.id).touch()  # not a folder, so files below it cannot be deleted
    api = start_api({"MEDIA_DIR": str(tmp_path)})
    answer = api.client.delete(f"/records/{record_id}", params=user.credentials)
    assert answer.status_code == 204
    refused(user.client.get(f"/records/{record_id}"), 410, "record_gone")


@pytest.mark.parametrize("folder", ["missing", "unmounted"])
def test_metrics_need_no_volume(start_api: StartApi, unmounted: Path, folder: str) -> None:
    api = start_api({"MEDIA_DIR": str(unmounted.with_name(folder))})
    reported = metrics(api.client)
    assert "wav2mp3_jobs_waiting" in reported
    assert "wav2mp3_media_free_bytes" not in reported
