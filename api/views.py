"""Turns snapshots into the records that users see, with their links."""

from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from api.access import link_signer
from api.callbacks import origin
from api.options import RecordOptions
from api.problems import problem
from api.schemas import Problem, RecordView, TargetView, WebhookView
from api.snapshots import Snapshot
from shared import db, mp3_options
from shared.db import GONE, Record, RecordStatus
from shared.errors import RecordGone, RecordNotFound
from shared.links import LinksToRecords
from shared.mp3_options import Target
from shared.settings import get_settings


class Links(LinksToRecords):
    """Builds absolute links on PUBLIC_URL or, if that is unset, on the host of the request."""

    def next_page(self, request: Request, last_id: UUID) -> str:
        """Return the link after a page: the request's own, with its credentials if they were in the query."""
        sent = [each for each in request.query_params.multi_items() if each[0] != "before"]
        return f"{self._base}/records?{urlencode([*sent, ('before', last_id)])}"


async def _links(request: Request) -> Links:
    return Links(str(get_settings().public_url or request.base_url), link_signer())


RecordLinks = Annotated[Links, Depends(_links)]


def find(session: Session, record_id: UUID, user_id: UUID | None = None) -> Record:
    """Return a record, only if `user_id` owns it or is None. Raises RecordNotFound, RecordGone."""
    record = session.get(Record, record_id)
    if record is None or user_id not in (None, record.user_id):
        raise RecordNotFound
    if record.status in GONE:
        raise RecordGone
    return record


def view(snapshot: Snapshot, links: Links) -> RecordView:
    is_done = snapshot.status == RecordStatus.DONE
    return RecordView(
        id=snapshot.id,
        status=RecordStatus(snapshot.status),
        progress=1.0 if is_done else round(min(snapshot.encoded or 0.0, 1.0), 4),
        queue_position=snapshot.queue_position,
        waiting_for=db.jobs.STORAGE if snapshot.waits_for_storage else None,
        filename=snapshot.filename,
        duration_s=snapshot.duration_s,
        source_bytes=snapshot.source_bytes,
        mp3_bytes=snapshot.mp3_bytes,
        options=stored_options(snapshot),
        target=_target(snapshot),
        warnings=snapshot.warnings,
        error=_error(snapshot),
        created_at=snapshot.created_at,
        finished_at=snapshot.finished_at,
        expires_at=snapshot.expires_at,
        status_link=links.status(snapshot.id),
        events_link=links.events(snapshot.id),
        waveform_link=links.waveform(snapshot.id) if is_done else None,
        download_link=links.download(snapshot.id, snapshot.user_id) if is_done else None,
        webhook=_webhook(snapshot),
    )


def stored_options(record: Record | Snapshot) -> RecordOptions:
    # Not validated: another release may have had other limits.
    stored = record.options | record.tags
    known = {name: stored[name] for name in RecordOptions.model_fields if name in stored}
    return RecordOptions.model_construct(**known)


def _target(snapshot: Snapshot) -> TargetView | None:
    if snapshot.target is None:
        return None
    target = mp3_options.from_stored(Target, snapshot.target)
    return TargetView(
        mode="vbr" if target.bitrate_kbps is None else "cbr",
        quality=target.quality,
        bitrate_kbps=target.bitrate_kbps,
        sample_rate_hz=target.sample_rate_hz,
        channels=target.channels,
        gain_db=target.gain_db,
    )


def _webhook(snapshot: Snapshot) -> WebhookView | None:
    if snapshot.callback_url is None:
        return None
    return WebhookView(origin=origin(snapshot.callback_url), **snapshot.delivery or {})


def _error(snapshot: Snapshot) -> Problem | None:
    if snapshot.error_code is None:
        return None
    return problem(snapshot.error_code, snapshot.error_detail or "")
