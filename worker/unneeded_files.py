"""Deletes the files that a record no longer needs."""

from pathlib import Path
from uuid import UUID

import structlog
from sqlalchemy import select

from shared import db, media
from shared.db import PENDING, Record, RecordStatus
from shared.settings import Settings

log = structlog.get_logger(__name__)


def delete_unneeded(settings: Settings, user_id: UUID, record_id: UUID) -> None:
    """Delete the files that a record no longer needs. The file sweep finds those that cannot be deleted now."""
    with db.transaction() as session:
        status = session.scalar(select(Record.status).where(Record.id == record_id))
    delete_files(media.record_files(settings.media_dir, user_id, record_id), status)


def delete_files(files: media.RecordFiles, status: str | None) -> None:
    """Delete the files that a record of this status does not need."""
    try:
        if status == RecordStatus.DONE:
            media.delete_work(files)
        elif status == RecordStatus.FAILED:
            media.delete(files.parts)  # the source stays until its user deletes the record
        elif status not in PENDING:
            media.delete_all(files)
    except OSError as error:
        log.warning("files not deleted", record_id=str(files.record_id), error=str(error))


def is_unneeded(path: Path, status: str | None) -> bool:
    """Return whether a record of this status, or none, does not need this file. False if the name is not ours."""
    match path.suffix:
        case media.UNFINISHED:
            return True
        case ".mp3" | ".peaks":
            return status not in (*PENDING, RecordStatus.DONE)
        case ".wav":
            return status not in (*PENDING, RecordStatus.FAILED)
        case ".parts":
            return status not in PENDING
    return False
