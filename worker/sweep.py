"""The steps of the sweeper. They repair the damage of a crash, a lost message or an emptied Redis. Any step may run at
any time, and twice at once.

Jobs of a dead worker go to the retry queues. Workers read these first, so that no job waits twice.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self
from uuid import UUID

import structlog
from redis.exceptions import RedisError
from sqlalchemy import select

from shared import db, media, queue
from shared.db import GONE, Record
from shared.errors import EncodeFailed
from shared.settings import Settings
from worker import unneeded_files
from worker.unchanged import UnchangedWatch

BATCH = 500
FILE_GRACE_S = 3600
"""A file that no row needs may still be growing. It is deleted if it has not changed for this time."""

RecordKey = tuple[UUID, UUID]
"""The ids of a user and of the user's record."""

FileState = tuple[int, int, int]
"""The inode, size and modification time of a file."""

log = structlog.get_logger(__name__)


class Watches:
    """The memory of one sweeper: leases and files that it saw before."""

    def __init__(self, *, lease_s: float, upload_lease_s: float, file_grace_s: float) -> None:
        self.jobs = UnchangedWatch[int, tuple[int, int]](lease_s)
        self.uploads = UnchangedWatch[UUID, int](upload_lease_s)
        self.orphans = UnchangedWatch[Path, FileState](file_grace_s)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(
            lease_s=settings.lease_s,
            upload_lease_s=settings.upload_lease_s,
            file_grace_s=FILE_GRACE_S,
        )


def sweep_rows(settings: Settings, watches: Watches) -> None:
    _requeue_expired(watches)
    failed = _fail_exhausted(settings)
    _restart_without_encoder(settings)
    _publish_due()
    with db.transaction() as session:
        abandoned = watches.uploads.unchanged(db.uploads.leases(session))
        ended = db.uploads.remove_abandoned(session, abandoned)
        ended += db.records.expire(session, BATCH)
        db.workers.remove_dead(session)
        db.idempotency.remove_expired(session)
    # Last, because a volume may hang. The file sweep deletes the files that remain.
    for user_id, record_id in (*failed, *ended):
        unneeded_files.delete_unneeded(settings, user_id, record_id)


def _fail_exhausted(settings: Settings) -> list[RecordKey]:
    with db.transaction() as session:
        failed = db.sweeping.exhausted(session, settings.max_attempts, BATCH)
        for record in failed:
            db.records.fail(session, record.id, EncodeFailed(), retention_h=settings.retention_h)
    for record in failed:
        log.error(
            "record failed",
            code=EncodeFailed.code,
            record_id=str(record.id),
            user_id=str(record.user_id),
            reason="a job used up its attempts",
        )
    return [(record.user_id, record.id) for record in failed]


def _requeue_expired(watches: Watches) -> None:
    with db.transaction() as session:
        db.sweeping.end_impossible_pauses(session)
        expired = watches.jobs.unchanged(db.sweeping.leases(session))
        requeued = db.sweeping.requeue_expired(session, expired, queue.RETRY_QUEUE)
    for job_id in requeued:
        log.warning("job requeued", job_id=job_id)


def end_storage_waits(settings: Settings) -> None:
    """Let waiting jobs run as soon as the media volume can be written again."""
    with db.transaction() as session:
        if not db.sweeping.any_waits_for_storage(session):
            return
    try:
        media.probe(settings.media_dir)
    except OSError as error:
        log.warning("storage not writable", error=str(error))
        return
    with db.transaction() as session:
        db.sweeping.end_storage_waits(session)


def _restart_without_encoder(settings: Settings) -> None:
    with db.transaction() as session:
        restarted = db.sweeping.records_without_encoder(session, BATCH)
        for record in restarted:
            log.warning("encoder gone", record_id=str(record.id), encoder=record.encoder)
            db.sweeping.restart_encoding(session, record, in_flight=settings.segments_in_flight)


def _publish_due() -> None:
    with db.transaction() as session:
        queues = db.sweeping.due_queues(session)
        due = {name: db.sweeping.due(session, name, BATCH) for name in queue.ALL if name in queues}
    try:
        for name, job_ids in due.items():
            _publish_missing(name, job_ids)
    except RedisError as error:
        log.warning("queue not read", error=type(error).__name__)


def _publish_missing(name: str, due: Sequence[int]) -> None:
    """Publish as many of the due jobs as the queue lacks, oldest first: their tasks were lost, or never sent.

    We cannot know which tasks were lost. The job of a lost task eventually becomes the oldest.
    A duplicate task does nothing.
    """
    if not due:
        return
    missing = len(due) - queue.length(name)
    for job_id in due[: max(0, missing)]:
        if not queue.publish(job_id, name):
            return


def sweep_files(settings: Settings, watches: Watches) -> None:
    """Delete the files that no row needs and that did not change for a while, if their names are ours."""
    unneeded: dict[Path, FileState] = {}
    for user_id, folder in _files_named_by_id(settings.media_dir):
        try:
            unneeded |= _unneeded_files(user_id, folder)
        except OSError as error:
            log.warning("folder not swept", path=str(folder), error=str(error))
    for path in watches.orphans.unchanged(unneeded):
        log.warning("orphan file deleted", path=str(path))
        media.delete(path)


def _unneeded_files(user_id: UUID, folder: Path) -> dict[Path, FileState]:
    found = list(
        _files_named_by_id(folder)
    )  # list files before rows: a row is older than its files
    needing = (Record.user_id == user_id, Record.status.not_in(GONE))
    with db.transaction() as session:
        statuses = dict(session.execute(select(Record.id, Record.status).where(*needing)).all())
    unneeded = {}
    for record_id, path in found:
        if unneeded_files.is_unneeded(path, statuses.get(record_id)):
            with suppress(FileNotFoundError):
                stat = path.stat()
                unneeded[path] = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
    return unneeded


def _files_named_by_id(folder: Path) -> Iterator[tuple[UUID, Path]]:
    for path in folder.iterdir():
        name = path.name.partition(".")[0]
        with suppress(ValueError):
            if str(UUID(name)) == name:
                yield UUID(name), path
