"""A record as its user sees it, and the links to it."""

from pathlib import PurePath
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from api.deps import AppSettings
from api.problems import problem
from api.schemas import RecordView
from shared.errors import RecordGone, RecordNotFound
from shared.models import GONE, Record, RecordStatus, Segment

MAX_NAME_BYTES = 255
"""what file systems take"""


class Links:
    """Absolute links, to the host that the client used or to PUBLIC_URL."""

    def __init__(self, request: Request, settings: AppSettings) -> None:
        self._base = str(settings.public_url or request.base_url).rstrip("/")

    def status(self, record_id: UUID) -> str:
        return f"{self._base}/records/{record_id}"

    def download(self, record_id: UUID, user_id: UUID) -> str:
        return f"{self._base}/record?id={record_id}&user_id={user_id}"

    def page(self, before: UUID, limit: int) -> str:
        return f"{self._base}/records?before={before}&limit={limit}"


RecordLinks = Annotated[Links, Depends(Links)]


def find(session: Session, record_id: UUID) -> Record:
    """Raises RecordNotFound, RecordGone."""
    record = session.get(Record, record_id)
    if record is None:
        raise RecordNotFound
    if record.status in GONE:
        raise RecordGone
    return record


def view(session: Session, record: Record, links: Links) -> RecordView:
    is_done = record.status == RecordStatus.DONE
    is_queued = record.status == RecordStatus.QUEUED
    return RecordView(
        id=record.id,
        status=RecordStatus(record.status),
        progress=1.0 if is_done else _progress(session, record),
        queue_position=_queue_position(session, record) if is_queued else None,
        filename=record.filename,
        duration_s=record.duration_s,
        source_bytes=record.source_bytes,
        mp3_bytes=record.mp3_bytes,
        warnings=record.warnings,
        error=problem(record.error_code, record.error_detail or "") if record.error_code else None,
        created_at=record.created_at,
        finished_at=record.finished_at,
        expires_at=record.expires_at,
        download_link=links.download(record.id, record.user_id) if is_done else None,
    )


def mp3_name(filename: str) -> str:
    stem = PurePath(filename).stem.encode()[: MAX_NAME_BYTES - len(".mp3")].decode(errors="ignore")
    return f"{stem}.mp3"


def _progress(session: Session, record: Record) -> float:
    encoded, samples = session.execute(
        select(func.sum(Segment.encoded_samples), func.sum(Segment.samples)).where(
            Segment.record_id == record.id
        )
    ).one()
    return round(min(float(encoded / samples), 1.0), 4) if samples else 0.0


def _queue_position(session: Session, record: Record) -> int:
    waiting = Record.status == RecordStatus.QUEUED
    return session.scalars(
        select(func.count()).where(waiting, Record.created_at <= record.created_at)
    ).one()
