"""Puts right whatever a crash, a lost message or a wiped Redis left behind. Safe to run at any time, twice at once.

What a dead worker had begun goes to the front, on a queue of its own: it must not wait a second time.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import structlog
from redis.exceptions import RedisError
from sqlalchemy import select

from shared import db, media, queue
from shared.db import PENDING, Record, RecordStatus
from shared.errors import EncodeFailed
from shared.settings import Settings

BATCH = 500
FILE_GRACE_S = 3600
"""A younger file may be one that is being written."""

Task = tuple[str, str | int]
RecordKey = tuple[UUID, UUID]
"""its user's id and its own"""

log = structlog.get_logger(__name__)


def sweep_rows(settings: Settings) -> None:
    failed = _fail_worn_out(settings)
    _take_back()
    _publish_due(settings)
    ended = _end_records()
    with db.transaction() as session:
        db.workers.forget_dead(session)
    # Last, because a volume may hang. Files whose rows say that they may go are found again.
    for user_id, record_id in (*failed, *ended):
        delete_unneeded(settings, user_id, record_id)


def _fail_worn_out(settings: Settings) -> list[RecordKey]:
    with db.transaction() as session:
        failed = db.stale.worn_out_records(session, settings.max_attempts, BATCH)
        for record in failed:
            db.records.fail(session, record.id, EncodeFailed(), retention_h=settings.retention_h)
    for record in failed:
        log.error("record failed", record_id=str(record.id), reason="its attempts are used up")
    return [(record.user_id, record.id) for record in failed]


def _take_back() -> None:
    with db.transaction() as session:
        taken_back = db.stale.take_back_segments(session, queue.AGAIN, BATCH)
    for segment_id in taken_back:
        log.warning("segment taken back", segment_id=segment_id)


def _publish_due(settings: Settings) -> None:
    with db.transaction() as session:
        due: dict[str, list[Task]] = {
            name: [
                (queue.ENCODE_SEGMENT, segment_id)
                for segment_id in db.stale.due_segments(
                    session, name, settings.segments_in_flight, BATCH
                )
            ]
            for name in (*queue.AGAIN.values(), *queue.AGAIN)
        }
        unassembled = db.stale.unassembled_records(session, BATCH)
    due[queue.AGAIN[queue.CLIPS]][:0] = [
        (queue.ASSEMBLE, str(record_id)) for record_id in unassembled
    ]
    try:
        for name, tasks in due.items():
            _publish_missing(name, tasks)
    except RedisError as error:
        log.warning("queue not read", error=type(error).__name__)


def _publish_missing(name: str, due: Sequence[Task]) -> None:
    """As many of the due tasks as the queue lacks, oldest first: their messages were lost, or never sent.

    Nobody can tell which ones. But what is lost becomes the oldest one day, and a task that comes twice does nothing.
    """
    if not due:
        return
    missing = len(due) - queue.length(name)
    for task, identifier in due[: max(0, missing)]:
        if not queue.publish(task, identifier, name):
            return


def _end_records() -> list[RecordKey]:
    """Uploads whose API died, and records that have had their time."""
    with db.transaction() as session:
        return db.stale.end_abandoned_uploads(session, BATCH) + db.stale.expire_records(
            session, BATCH
        )


def delete_unneeded(settings: Settings, user_id: UUID, record_id: UUID) -> None:
    """Delete the files of a record that its row no longer needs. What cannot be deleted now is found again."""
    with db.transaction() as session:
        status = session.scalar(select(Record.status).where(Record.id == record_id))
    files = media.record_files(settings.media_dir, user_id, record_id)
    try:
        if status == RecordStatus.DONE:
            media.delete_work(files)
        elif status not in PENDING:
            media.delete_all(files)
    except OSError as error:
        log.warning("files not deleted", record_id=str(record_id), error=str(error))


def sweep_files(settings: Settings) -> None:
    """Delete old files that no row needs. What does not carry a name of ours is let alone."""
    for user_id, folder in _named_by_id(settings.media_dir):
        try:
            _sweep_folder(user_id, folder)
        except OSError as error:
            log.warning("folder not swept", path=str(folder), error=str(error))


def _sweep_folder(user_id: UUID, folder: Path) -> None:
    there = list(_named_by_id(folder))  # before the rows, which are older than their files
    needing = (Record.user_id == user_id, Record.status.in_((*PENDING, RecordStatus.DONE)))
    with db.transaction() as session:
        statuses = dict(session.execute(select(Record.id, Record.status).where(*needing)).all())
    for record_id, path in there:
        if _is_unneeded(path, statuses.get(record_id)) and _is_old(path):
            log.warning("orphan file deleted", path=str(path))
            media.delete(path)


def _named_by_id(folder: Path) -> Iterator[tuple[UUID, Path]]:
    for path in folder.iterdir():
        name = path.name.partition(".")[0]
        with suppress(ValueError):
            if str(UUID(name)) == name:
                yield UUID(name), path


def _is_old(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > FILE_GRACE_S
    except FileNotFoundError:
        return False


def _is_unneeded(path: Path, status: str | None) -> bool:
    match path.suffix:
        case media.UNFINISHED:
            return True
        case ".mp3":
            return status not in (*PENDING, RecordStatus.DONE)
        case ".wav" | ".parts":
            return status not in PENDING
    return False
