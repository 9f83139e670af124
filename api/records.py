"""Records: upload, show, list and delete."""

import asyncio
import re
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response
from sqlalchemy import select, tuple_

from api import views
from api.changes import MAX_WAIT_S
from api.deps import AppSettings, CurrentUser, DbSession, RecordChanges
from api.http import Multipart, body_chunks
from api.options import QueryOptions, UploadOptions
from api.problems import responses
from api.schemas import RecordAccepted, RecordPage, RecordView
from api.upload import MAX_FORM_BYTES, PART_NAME, Upload
from api.views import RecordLinks
from shared import db, errors, media
from shared.db import GONE, Record, RecordStatus

router = APIRouter(tags=["records"])

POLL_AFTER_S = 1
WAIT = re.compile(r'(?:^|[,;])\s*wait\s*=\s*"?([0-9]{1,9})"?\s*(?:$|[,;])', re.IGNORECASE)

FORM_PROPERTIES = {
    # Before the file, as the form must have them.
    **UploadOptions.model_json_schema(ref_template="{model}")["properties"],
    PART_NAME: {"type": "string", "format": "binary"},
}
BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [PART_NAME],
                    "properties": FORM_PROPERTIES,
                }
            }
        },
    }
}
PLAIN_NAMES = re.compile("curl/|Mozilla/|wav2mp3-client")
"""User agents that never percent-encode filenames."""


@router.post(
    "/record",
    status_code=202,
    openapi_extra=BODY,
    responses=responses(
        errors.BadCredentials,
        errors.UploadTimeout,
        errors.FilenameTaken,
        errors.RecordGone,
        errors.UploadTooLarge,
        errors.NotAWav,
        errors.BadWav,
        errors.TooLong,
        errors.Mp3TooLarge,
        errors.TooManyPending,
        errors.NoSpace,
        errors.StorageUnavailable,
    ),
)
async def create_record(
    request: Request,
    response: Response,
    user_id: CurrentUser,
    options: QueryOptions,
    settings: AppSettings,
    links: RecordLinks,
) -> RecordAccepted:
    """Upload a WAV as the form file `wav_file`. Answers once the file is stored safely; then poll `status_link`.

    Options are query parameters, or form fields that come before the file.
    """
    is_plain = PLAIN_NAMES.match(request.headers.get("user-agent", ""))
    form = Multipart(request.headers.get("content-type", ""), may_escape_names=not is_plain)
    await asyncio.to_thread(_check_content_length, request.headers.get("content-length"), settings)
    upload = Upload(user_id, options, settings)
    renewing = asyncio.create_task(upload.reservation.keep())
    try:
        await upload.receive(body_chunks(request, settings.upload_idle_timeout_s), form)
        record_id = await upload.reservation.run(upload.accept)
    except BaseException:
        await asyncio.to_thread(upload.abort)
        raise
    finally:
        renewing.cancel()
    response.headers["Location"] = links.status(record_id)
    response.headers["Retry-After"] = str(POLL_AFTER_S)
    return RecordAccepted(
        id=record_id,
        filename=upload.reservation.filename,
        status=RecordStatus.QUEUED,
        status_link=links.status(record_id),
        download_link=links.download(record_id, user_id),
    )


def _check_content_length(content_length: str | None, settings: AppSettings) -> None:
    size_bytes = int(content_length or 0)
    if size_bytes > settings.max_upload_bytes + MAX_FORM_BYTES:
        raise errors.UploadTooLarge
    # Twice the size, because during assembly the volume holds the source, the parts and the MP3.
    try:
        free_bytes = media.free_bytes(settings.media_dir)
    except OSError as error:
        raise errors.StorageUnavailable from error
    if free_bytes - 2 * size_bytes < settings.min_free_bytes:
        raise errors.NoSpace


@router.get("/records/{record_id}", responses=responses(errors.RecordNotFound, errors.RecordGone))
async def show_record(
    record_id: UUID,
    links: RecordLinks,
    changes: RecordChanges,
    prefer: Annotated[
        str | None,
        Header(
            description="`wait=N` holds the answer until the record is finished, for at most N seconds (up to 30)."
        ),
    ] = None,
) -> RecordView:
    """Show a record's status, progress and download link."""
    return await changes.wait_until(
        record_id,
        lambda: views.load(record_id, links),
        lambda record: record.status in db.FINISHED,
        _parse_wait_s(prefer),
    )


def _parse_wait_s(prefer: str | None) -> float:
    """Return the seconds of `wait` in a Prefer header (RFC 7240, 4.3). Malformed ones are ignored (section 2)."""
    wait = WAIT.search(prefer or "")
    return min(float(wait[1]), MAX_WAIT_S) if wait else 0


@router.get("/records", responses=responses(errors.BadCredentials))
def list_records(
    user_id: CurrentUser,
    session: DbSession,
    links: RecordLinks,
    limit: Annotated[int, Query(ge=1, le=100, description="Records per page.")] = 50,
    before: Annotated[UUID | None, Query(description="Last record of the previous page.")] = None,
    filename: Annotated[str | None, Query(description="Only records of this filename.")] = None,
) -> RecordPage:
    """List the user's records, newest first."""
    newest_first = tuple_(Record.created_at, Record.id)
    query = select(Record).where(Record.user_id == user_id, Record.status.not_in(GONE))
    if filename is not None:
        query = query.where(Record.filename == filename.replace("\0", ""))
    if before is not None:
        last = select(Record.created_at, Record.id).where(Record.id == before).scalar_subquery()
        query = query.where(newest_first < last)
    found = session.scalars(
        query.order_by(Record.created_at.desc(), Record.id.desc()).limit(limit + 1)
    ).all()
    page = found[:limit]
    return RecordPage(
        records=views.view_all(session, page, links),
        next=links.page(page[-1].id, limit, filename) if len(found) > limit else None,
    )


@router.delete(
    "/records/{record_id}",
    status_code=204,
    responses=responses(errors.BadCredentials, errors.RecordNotFound, errors.RecordGone),
)
def delete_record(record_id: UUID, user_id: CurrentUser, settings: AppSettings) -> None:
    """Cancel or delete a record. Stops the conversion, deletes all its files and frees the filename."""
    with db.transaction() as session:
        views.find(session, record_id, user_id)
        db.records.mark_gone(session, record_id, RecordStatus.DELETED)
    media.delete_all(media.record_files(settings.media_dir, user_id, record_id))
