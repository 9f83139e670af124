"""Uploads need the media volume. A volume that is away is refused, not filled."""

from pathlib import Path

import pytest

from api.volume import require_volume
from shared import media
from shared.errors import StorageUnavailable
from shared.settings import get_settings
from tests.api.conftest import StartApi
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
