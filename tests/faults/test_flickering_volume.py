"""The volume goes away and returns between any two looks at it. Nothing is lost, and nothing is written beside it."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from random import Random
from uuid import uuid4

import pytest

from api.source import SourceWriter
from shared import db, media
from shared.db import JobState, RecordStatus
from shared.errors import StorageUnavailable
from shared.mp3_options import Options
from shared.settings import get_settings
from shared.wav import read_wav
from tests.shared.db import rows
from tests.shared.db.rows import db_call
from tests.wavs import build, sine
from tests.worker import stored
from worker import tasks, waveforms

RATE_HZ = 8000
ATTEMPTS = 20
SYSTEM_CALLS = ("posix", "io", "_io")
"""The modules of the functions that call the system."""


class Volume:
    def __init__(self, folder: Path) -> None:
        self.media_dir, self.path, self.mount_point = (
            folder / name for name in ("media", "volume", "mount_point")
        )
        self.path.mkdir()
        self.mount_point.mkdir()
        self.media_dir.symlink_to(self.path)
        (self.path / media.MARKER).touch()

    @contextmanager
    def flickering(self) -> Iterator[None]:
        """After each system call of this thread, let MEDIA_DIR lead to the volume or to its mount point, by chance."""
        chance = Random(1)

        def mount_by_chance(_: object, event: str, called: object) -> None:
            is_over = event in ("c_return", "c_exception")
            if is_over and getattr(called, "__module__", None) in SYSTEM_CALLS:
                self.mount(chance.choice((self.path, self.mount_point)))

        sys.setprofile(mount_by_chance)
        try:
            yield
        finally:
            sys.setprofile(None)
            self.mount(self.path)

    def mount(self, folder: Path) -> None:
        link = self.media_dir.with_name("link")
        link.symlink_to(folder)
        link.replace(self.media_dir)


@pytest.fixture
def volume(database: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Volume:
    volume = Volume(tmp_path)
    monkeypatch.setenv("MEDIA_DIR", str(volume.media_dir))
    get_settings.cache_clear()
    return volume


@pytest.fixture
def wav() -> bytes:
    return build(sine(12 * RATE_HZ, sample_rate_hz=RATE_HZ), sample_rate_hz=RATE_HZ)


def test_a_flickering_volume_loses_no_record(volume: Volume, wav: bytes) -> None:
    files, job_ids = stored.store(wav)
    jobs = [*job_ids, rows.assemble_job(files.record_id)]
    with volume.flickering():
        for job_id in ATTEMPTS * jobs:
            tasks.run_job(str(job_id))
            db_call(db.sweeping.end_storage_waits)
    assert rows.record(files.record_id).status != RecordStatus.FAILED
    assert list(volume.mount_point.iterdir()) == []
    for job_id in 2 * jobs:
        tasks.run_job(str(job_id))
    assert rows.record(files.record_id).status == RecordStatus.DONE


def test_a_flickering_volume_has_all_parts(volume: Volume, wav: bytes) -> None:
    files, (job_id, *_) = stored.store(wav)
    tasks.run_job(str(job_id))
    assert rows.job(job_id).state == JobState.DONE
    with volume.flickering():
        for _ in range(ATTEMPTS):
            with suppress(FileNotFoundError):
                assert not media.missing(volume.media_dir, [files.part(job_id, 1)])


def test_a_waveform_without_its_volume_waits(volume: Volume, wav: bytes) -> None:
    files = media.record_files(volume.media_dir, uuid4(), uuid4())
    segment = db.claims.EncodedSegment(1, 1, samples=1, peak_db=None, flaws=None)
    info = read_wav(BytesIO(wav), len(wav))
    volume.mount(volume.mount_point)
    with pytest.raises(FileNotFoundError):
        waveforms.write(volume.media_dir, files, [segment], info)


def test_an_upload_to_a_flickering_volume_stays_there(volume: Volume) -> None:
    rows.add_record()  # else the empty mount point would be a new volume
    with volume.flickering():
        for _ in range(ATTEMPTS):
            source = volume.media_dir / str(uuid4()) / "source.wav"
            with suppress(StorageUnavailable):
                writer = SourceWriter(source, Options(), get_settings())
                try:
                    assert (volume.path / source.relative_to(volume.media_dir)).exists()
                finally:
                    writer.abort()
    assert list(volume.mount_point.iterdir()) == []


def test_an_mp3_creates_no_folder(volume: Volume) -> None:
    files = media.record_files(volume.media_dir / "unmounted", uuid4(), uuid4())
    with pytest.raises(FileNotFoundError), media.completing_durably(files.mp3):
        pass
    assert not files.folder.parent.exists()


def test_an_upload_to_a_read_only_volume_ends(
    volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unlink(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    source = volume.media_dir / "user" / "source.wav"
    writer = SourceWriter(source, Options(), get_settings())
    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", unlink)
        writer.abort()
    assert source.exists()
