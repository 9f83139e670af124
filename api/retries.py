"""`POST /records/{id}/retry` converts a failed record again, from the source that the service kept."""

import os
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response
from sqlalchemy.orm import Session

from api import conversion, uploads, views
from api.authentication import CurrentUser
from api.deps import AppSettings, PathRecordId
from api.described_errors import responses
from api.idempotency import KEY_ERRORS, Key, UserKey
from api.openapi import success
from api.options import RecordOptions, RetryOptions
from api.schemas import RecordAccepted
from api.uploads import Accepted
from api.views import RecordLinks
from api.volume import require_volume, translate_errors
from shared import db, errors, media, wav
from shared.db import Record, RecordStatus
from shared.settings import Settings

router = APIRouter(tags=["records"])


@router.post(
    "/records/{record_id}/retry",
    status_code=202,
    responses={
        **responses(
            *KEY_ERRORS,
            errors.BadCredentials,
            errors.TooManyBadCredentials,
            errors.RecordNotFound,
            errors.FilenameTaken,
            errors.RecordUnfinished,
            errors.RecordGone,
            errors.SourceGone,
            errors.UserStorageFull,
            errors.ServiceStorageFull,
            *uploads.CONVERSION_ERRORS,
        ),
        **success(
            202,
            "The conversion is queued again.",
            "Location",
            "Retry-After",
            "Idempotency-Replayed",
        ),
    },
)
def retry_record(
    record_id: PathRecordId,
    response: Response,
    user_id: CurrentUser,
    sent: RetryOptions,
    settings: AppSettings,
    links: RecordLinks,
    key: UserKey,
) -> RecordAccepted:
    """Convert a failed record again. Options that you send replace the options of the upload."""
    try:
        accepted = _retry(record_id, user_id, sent, settings, key)
    except (errors.RecordUnfinished, errors.SourceGone):
        # A request with the same key may have been faster.
        with db.transaction() as session:
            if key.find(session, _described(sent)) is None:
                raise
            accepted = _accepted_before(session, record_id)
    response.headers.update(uploads.accepted_headers(accepted, links))
    return uploads.describe_accepted(accepted, user_id, links)


def _retry(
    record_id: UUID, user_id: UUID, sent: RecordOptions, settings: Settings, key: Key
) -> Accepted:
    request = _described(sent)
    with db.transaction() as session:
        if key.find(session, request) is not None:
            return _accepted_before(session, record_id)
        record = _find_failed(session, record_id, user_id)
    options = _merge(record, sent)
    planned = conversion.plan(_read_source(record, settings), options.conversion(), settings)
    with db.transaction() as session:
        if key.take(session, request) is not None:
            return _accepted_before(session, record_id)
        db.quotas.lock_pending(session, user_id, settings)
        db.uploads.check_not_uploading(session, user_id, record.filename)
        retried = db.records.retry(
            session,
            record_id,
            options=options.conversion(),
            tags=options.tags(),
            **planned.columns,
        )
        if not retried:  # another request was faster
            _find_failed(session, record_id, user_id)
            raise errors.RecordUnfinished
        db.quotas.check_pending(session, user_id, settings)
        # Other options may make a larger MP3.
        db.quotas.check_stored(session, user_id, settings, record_id=record_id)
        ready = conversion.create_jobs(session, record_id, user_id, planned, settings)
        key.store(session, record_id=record_id)
    conversion.publish(ready, planned)
    return Accepted(record_id, record.filename)


def _described(sent: RecordOptions) -> dict[str, Any]:
    return sent.model_dump(mode="json", exclude_unset=True)


def _accepted_before(session: Session, record_id: UUID) -> Accepted:
    record = session.get_one(Record, record_id)
    return Accepted(record_id, record.filename, is_replayed=True)


def _find_failed(session: Session, record_id: UUID, user_id: UUID) -> Record:
    record = db.records.find(session, record_id, user_id)
    if record.status == RecordStatus.DONE:
        raise errors.SourceGone
    if record.status != RecordStatus.FAILED:
        raise errors.RecordUnfinished
    return record


def _merge(record: Record, sent: RecordOptions) -> RecordOptions:
    """Return the record's options, replaced by the options that were sent. Raises BadOptions."""
    replaced: dict[str, Any] = sent.model_dump(exclude_unset=True)
    stored = views.stored_options(record).model_dump(exclude_unset=True)
    # quality and bitrate_kbps exclude each other, so a new value of one also replaces the other.
    if replaced.keys() & {"quality", "bitrate_kbps"}:
        stored |= {"quality": None, "bitrate_kbps": None}
    merged = RecordOptions.model_construct(**stored | replaced)
    merged.conversion()
    return merged


def _read_source(record: Record, settings: Settings) -> wav.WavInfo:
    """Read the headers of the source. Raises SourceGone, StorageUnavailable, NotAWav, BadWav."""
    path = media.record_files(settings.media_dir, record.user_id, record.id).source
    with translate_errors():
        require_volume(settings.media_dir)
        source = media.open_source(settings.media_dir, path)
        if source is None:
            raise errors.SourceGone
        with source:
            size_bytes = os.fstat(source.fileno()).st_size
            if size_bytes != record.source_bytes:
                raise errors.SourceGone
            return wav.read_wav(source, size_bytes)
