"""Checks that the media volume is mounted."""

import os
from pathlib import Path

from sqlalchemy import select

from shared import db, media
from shared.db import GONE, Record
from shared.errors import StorageUnavailable


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
