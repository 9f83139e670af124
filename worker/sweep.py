"""Puts right whatever a crash, a lost message or a wiped Redis left behind. Safe to run at any time, twice at once.

What was begun once goes to the front, on the `clips` queue: a dead worker's segment must not wait a second time.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import structlog
from redis.exceptions import RedisError
from sqlalchemy import select

from shared import db, media, queue, records, stale, workers
from shared.errors import EncodeFailed
from shared.models import PENDING, Record, RecordStatus
from shared.settings import Settings

BATCH = 500
FILE_GRACE_S = 3600
"""A younger file may belong to a row that is not committed yet."""

log = structlog.get_logger(__name__)


def sweep_rows(settings: Settings) -> None:
    _take_back(settings)
    _publish_waiting(settings)
    _end_records(settings)
    with db.transaction() as session:
        workers.forget_dead(session)


def _take_back(settings: Settings) -> None:
    """Segments and assemblies whose worker is dead: again, or the record fails."""
    with db.transaction() as session:
        for record in stale.worn_out_records(session, settings.max_attempts, BATCH):
            log.error("record failed", record_id=str(record.id), reason="its attempts are used up")
            records.fail(session, record.id, EncodeFailed(), retention_h=settings.retention_h)
        expired = stale.take_back_segments(session, BATCH)
        unassembled = stale.unassembled_records(session, BATCH)
    for segment_id in expired:
        log.warning("segment taken back", segment_id=segment_id)
        queue.publish(queue.ENCODE_SEGMENT, segment_id, queue.CLIPS)
    for record_id in unassembled:
        queue.publish(queue.ASSEMBLE, str(record_id), queue.CLIPS)


def _publish_waiting(settings: Settings) -> None:
    """Segments that wait while their queue is empty: their messages were lost, or never sent."""
    for name in (queue.CLIPS, queue.SEGMENTS):
        try:
            if queue.length(name):
                continue
        except RedisError as error:
            log.warning("queue not read", queue=name, error=type(error).__name__)
            return
        with db.transaction() as session:
            waiting = stale.waiting_segments(session, name, settings.segments_in_flight, BATCH)
        for segment_id in waiting:
            queue.publish(queue.ENCODE_SEGMENT, segment_id, name)


def _end_records(settings: Settings) -> None:
    """Uploads whose API died, and records that have had their time. Rows first: files without a row are found again."""
    with db.transaction() as session:
        ended = stale.end_abandoned_uploads(session, BATCH)
        ended += stale.expire_records(session, BATCH)
    for user_id, record_id in ended:
        media.delete_all(media.record_files(settings.media_dir, user_id, record_id))


def sweep_files(settings: Settings) -> None:
    """Delete files that no row needs."""
    for folder in settings.media_dir.iterdir():
        if not folder.is_dir():
            continue
        old = {path: record_id for path, record_id in _record_ids(folder) if _is_old(path)}
        with db.transaction() as session:
            rows = session.execute(
                select(Record.id, Record.status).where(Record.id.in_(set(old.values())))
            ).all()
        statuses = dict(rows)
        for path, record_id in old.items():
            if not _is_needed(path, statuses.get(record_id)):
                log.warning("orphan file deleted", path=str(path))
                media.delete(path)


def _record_ids(folder: Path) -> Iterator[tuple[Path, UUID]]:
    for path in folder.iterdir():
        try:
            yield path, UUID(path.name.partition(".")[0])
        except ValueError:
            log.warning("file that is not ours on the volume", path=str(path))


def _is_old(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > FILE_GRACE_S
    except FileNotFoundError:
        return False


def _is_needed(path: Path, status: str | None) -> bool:
    if path.name.endswith(media.UNFINISHED):
        return False
    if path.suffix == ".mp3":
        return status in (*PENDING, RecordStatus.DONE)
    return status in PENDING
