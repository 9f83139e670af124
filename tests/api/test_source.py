"""The source of an upload: written while more arrives, and durable before the upload is accepted."""

import errno
import os
import threading
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from api.source import SYNC_BYTES, SourceWriter
from local.stack import Stack
from shared.errors import StorageUnavailable
from shared.mp3_options import Options
from shared.settings import get_settings
from tests.api.wire import wav_head
from tests.browser.conftest import frozen_workers  # noqa: F401 -- a fixture
from tests.conftest import TIMEOUT_S, User

CHUNK = bytes(range(256)) * 2**12


@pytest.fixture
def writer(database: None, tmp_path: Path) -> SourceWriter:
    return SourceWriter(tmp_path / "user" / "source.wav", Options(), get_settings())


def test_a_large_upload_is_stored_unchanged(
    stack: Stack,
    user: User,
    frozen_workers: AbstractContextManager[None],  # noqa: F811 -- the fixture
) -> None:
    chunks = 2 * SYNC_BYTES // len(CHUNK) + 1
    wav = wav_head(chunks * len(CHUNK)) + chunks * CHUNK
    with frozen_workers:
        record_id = user.upload(wav).json()["id"]
        stored = stack.data_dir / "media" / user.id / f"{record_id}.wav"
        assert stored.read_bytes() == wav
        user.client.delete(f"/records/{record_id}", params=user.credentials)


def test_writing_goes_on_during_a_sync(
    writer: SourceWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_written = threading.Event()
    was_written = []
    monkeypatch.setattr(os, "fsync", lambda _: was_written.append(is_written.wait(TIMEOUT_S)))
    writer.write([wav_head(2**30)])
    for _ in range(SYNC_BYTES // len(CHUNK) + 2):
        writer.write([CHUNK])
    is_written.set()
    writer.abort()
    assert was_written == [True]


@pytest.mark.parametrize("failing_sync", [1, 2])
def test_a_failed_sync_refuses_the_upload(
    writer: SourceWriter, monkeypatch: pytest.MonkeyPatch, failing_sync: int
) -> None:
    """The first sync runs while the upload arrives, and the second one at its end."""
    syncs = 0

    def fsync(_: int) -> None:
        nonlocal syncs
        syncs += 1
        if syncs == failing_sync:
            raise OSError(errno.EIO, "Input/output error")

    chunks = SYNC_BYTES // len(CHUNK) + 1
    writer.write([wav_head(chunks * len(CHUNK))])
    monkeypatch.setattr(os, "fsync", fsync)
    for _ in range(chunks):
        writer.write([CHUNK])
    with pytest.raises(StorageUnavailable):
        writer.finish()
    writer.abort()
    assert not writer._path.exists()


def test_an_unreadable_source_is_a_storage_error(writer: SourceWriter) -> None:
    write_only = os.open(writer._path, os.O_WRONLY)
    os.dup2(write_only, writer._file.fileno())
    os.close(write_only)
    with pytest.raises(StorageUnavailable):
        writer.write([wav_head(2), b"\0\0"])
    writer.abort()
