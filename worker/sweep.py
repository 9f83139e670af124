"""Repairs what a crash, a lost message or a wiped Redis left behind. Safe to run at any time, and twice at once.

Jobs of a dead worker go to queues of their own, which workers look at first: they must not wait a second time.
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

RecordKey = tuple[UUID, UUID]
"""The ids of a user and of the user's record."""

log = structlog.get_logger(__name__)


def sweep_rows(settings: Settings) -> None:
    failed = _fail_exhausted(settings)
    _requeue_expired()
    _restart_without_encoder(settings)
    _publish_due()
    with db.transaction() as session:
        ended = db.records.remove_abandoned_uploads(session, BATCH)
        ended += db.records.expire(session, BATCH)
        db.workers.remove_dead(session)
    # Last, because a volume may hang. The file sweep finds the files again whose rows say that they may go.
    for user_id, record_id in (*failed, *ended):
        delete_unneeded(settings, user_id, record_id)


def _fail_exhausted(settings: Settings) -> list[RecordKey]:
    with db.transaction() as session:
        failed = db.records.exhausted(session, settings.max_attempts, BATCH)
        for record in failed:
            db.records.fail(session, record.id, EncodeFailed(), retention_h=settings.retention_h)
    for record in failed:
        log.error("record failed", record_id=str(record.id), reason="a job used up its attempts")
    return [(record.user_id, record.id) for record in failed]


def _requeue_expired() -> None:
    with db.transaction() as session:
        requeued = db.jobs.requeue_expired(session, queue.RETRY_QUEUE, BATCH)
    for job_id in requeued:
        log.warning("job requeued", job_id=job_id)


def _restart_without_encoder(settings: Settings) -> None:
    with db.transaction() as session:
        restarted = db.jobs.records_without_encoder(session, BATCH)
        for record in restarted:
            log.warning("encoder gone", record_id=str(record.id), encoder=record.encoder)
            db.jobs.restart_encoding(session, record, in_flight=settings.segments_in_flight)


def _publish_due() -> None:
    with db.transaction() as session:
        due = {name: db.jobs.due(session, name, BATCH) for name in queue.BY_PRIORITY}
    try:
        for name, job_ids in due.items():
            _publish_missing(name, job_ids)
    except RedisError as error:
        log.warning("queue not read", error=type(error).__name__)


def _publish_missing(name: str, due: Sequence[int]) -> None:
    """Publish as many of the due jobs as the queue lacks, oldest first: their tasks were lost, or never sent.

    We cannot know which tasks were lost. A lost one eventually becomes the oldest, and a duplicate does nothing.
    """
    if not due:
        return
    missing = len(due) - queue.length(name)
    for job_id in due[: max(0, missing)]:
        if not queue.publish(job_id, name):
            return


def delete_unneeded(settings: Settings, user_id: UUID, record_id: UUID) -> None:
    """Delete the files that a record no longer needs. The file sweep finds those that cannot be deleted now."""
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
    """Delete old files that no row needs. Leave files alone whose names are not ours."""
    for user_id, folder in _files_named_by_id(settings.media_dir):
        try:
            _sweep_folder(user_id, folder)
        except OSError as error:
            log.warning("folder not swept", path=str(folder), error=str(error))


def _sweep_folder(user_id: UUID, folder: Path) -> None:
    found = list(_files_named_by_id(folder))  # before the rows: a row is older than its files
    needing = (Record.user_id == user_id, Record.status.in_((*PENDING, RecordStatus.DONE)))
    with db.transaction() as session:
        statuses = dict(session.execute(select(Record.id, Record.status).where(*needing)).all())
    for record_id, path in found:
        if _is_unneeded(path, statuses.get(record_id)) and _is_old(path):
            log.warning("orphan file deleted", path=str(path))
            media.delete(path)


def _files_named_by_id(folder: Path) -> Iterator[tuple[UUID, Path]]:
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
