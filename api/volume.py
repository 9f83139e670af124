"""The media volume as endpoints see it: its errors become ours, and an empty mount point is not the volume."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
from sqlalchemy import select

from shared import db, media
from shared.db import GONE, Record
from shared.errors import NoSpace, StorageUnavailable, Wav2mp3Error

log = structlog.get_logger(__name__)


def require_volume(media_dir: Path) -> None:
    """Mark a new volume. Raise StorageUnavailable if the volume of the records is not mounted.

    An upload to an empty mount point would be lost as soon as the volume is mounted over it.
    """
    try:
        with media.open_folder(media_dir) as volume:
            if not media.is_marked(volume):
                _mark_new(volume)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise StorageUnavailable from error


def _mark_new(volume: int) -> None:
    with db.transaction() as session:
        has_records = session.scalars(
            select(select(Record.id).where(Record.status.not_in(GONE)).exists())
        ).one()
    if has_records and not os.listdir(volume):
        raise StorageUnavailable
    media.mark(volume)


@contextmanager
def translate_errors() -> Iterator[None]:
    """Raise NoSpace if the volume is full, and StorageUnavailable for its other errors."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NoSpace from error
        log.warning("storage not usable", error=str(error))
        raise StorageUnavailable from error


@contextmanager
def reading(media_dir: Path, path: Path, missing: type[Wav2mp3Error]) -> Iterator[None]:
    """Read a file. Raise `missing` if it was deleted, and StorageUnavailable if its volume cannot be read."""
    with translate_errors():
        try:
            yield
        except FileNotFoundError as error:
            if media.missing(media_dir, [path]):
                raise missing from error
            raise  # the volume was mounted again a moment ago


def delete_all(files: media.RecordFiles) -> None:
    """Delete the files of a record that is gone. The file sweep deletes those that the volume does not delete now."""
    try:
        media.delete_all(files)
    except OSError as error:
        log.warning("files not deleted", record_id=str(files.record_id), error=str(error))
