"""Checks that the media volume is mounted."""

from pathlib import Path

from sqlalchemy import select

from shared import db, media
from shared.db import GONE, Record
from shared.errors import StorageUnavailable


def require_volume(media_dir: Path) -> None:
    """Mark a new volume. Raise StorageUnavailable if the volume of the records is not mounted.

    An upload to an empty mount point would be lost as soon as the volume is mounted over it.
    """
    if media.is_marked(media_dir):
        return
    with db.transaction() as session:
        has_records = session.scalars(
            select(select(Record.id).where(Record.status.not_in(GONE)).exists())
        ).one()
    if not media_dir.is_dir() or (has_records and not any(media_dir.iterdir())):
        raise StorageUnavailable
    media.mark(media_dir)
