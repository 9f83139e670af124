"""Records: upload, show, list and delete."""

import asyncio
import re
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response
from sqlalchemy import select, tuple_

from api import snapshots, views
from api.changes import MAX_WAIT_S
from api.deps import (
    AppSettings,
    CurrentUser,
    DbSession,
    RecordChanges,
    RecordId,
    body_limits,
)
from api.http import Multipart, body_chunks
from api.options import QueryOptions
from api.problems import responses
from api.schemas import RecordAccepted, RecordPage, RecordView
from api.snapshots import SNAPSHOTS
from api.threads import run_in_turn
from api.upload import MAX_FORM_BYTES, PART_NAME, Upload
from api.views import RecordLinks
from shared import db, errors, media
from shared.db import GONE, Record, RecordStatus

router = APIRouter(tags=["records"])

POLL_AFTER_S = 1
WAIT = re.compile(r'(?:^|[,;])\s*wait\s*=\s*"?([0-9]{1,9})"?\s*(?:$|[,;])', re.IGNORECASE)

BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "title": "UploadForm",
                    "type": "object",
                    "required": [PART_NAME],
                    # Without the options: generated clients send required fields first, so the file, and then
                    # each default, which may contradict the query.
                    "properties": {
                        PART_NAME: {
                            "type": "string",
                            "format": "binary",
                            "description": "The WAV, with its filename.",
                        }
                    },
                }
            }
        },
    }
}
UPLOAD_RESPONSES = responses(
    errors.BadCredentials,
    errors.TooManyBadCredentials,
    errors.UploadTimeout,
    errors.FilenameTaken,
    errors.RecordGone,
    errors.UploadTooLarge,
    errors.NotAWav,
    errors.BadWav,
    errors.TooLong,
    errors.Mp3TooLarge,
    errors.TooManyPending,
    errors.TooManyPendingInAll,
    errors.NoSpace,
    errors.UserStorageFull,
    errors.ServiceStorageFull,
    errors.StorageUnavailable,
)
PLAIN_NAMES = re.compile("curl/|Mozilla/|wav2mp3-client")
"""User agents that never percent-encode filenames."""


@router.post(
    "/records",
    name="create_record",
    status_code=202,
    openapi_extra=BODY,
    responses=UPLOAD_RESPONSES,
)
@router.post(
    "/record",
    name="create_record_by_form",
    status_code=202,
    openapi_extra=BODY,
    responses=UPLOAD_RESPONSES,
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
    # A lower bound, so that no upload is refused for the bytes of its form.
    announced_bytes = max(int(request.headers.get("content-length", 0)) - MAX_FORM_BYTES, 0)
    await asyncio.to_thread(_check_room, user_id, announced_bytes, settings)
    upload = Upload(user_id, options, announced_bytes, settings)
    renewing = asyncio.create_task(upload.reservation.keep())
    try:
        await upload.receive(body_chunks(request, body_limits(settings)), form)
        record_id = await upload.reservation.run(upload.accept)
    except BaseException:
        await run_in_turn(upload.abort)
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


def _check_room(user_id: UUID, announced_bytes: int, settings: AppSettings) -> None:
    """Raises UploadTooLarge, StorageUnavailable, NoSpace, UserStorageFull, ServiceStorageFull."""
    if announced_bytes > settings.max_upload_bytes:
        raise errors.UploadTooLarge
    # Twice the size, because during assembly the volume holds the source, the parts and the MP3.
    try:
        free_bytes = media.free_bytes(settings.media_dir)
    except OSError as error:
        raise errors.StorageUnavailable from error
    if free_bytes - 2 * announced_bytes < settings.min_free_bytes:
        raise errors.NoSpace
    if settings.max_stored_bytes is not None or settings.max_stored_bytes_in_all is not None:
        with db.transaction() as session:
            db.quotas.check_stored(session, user_id, settings, announced_bytes)


@router.get(
    "/records/{record_id}",
    response_model=RecordView,
    responses=responses(errors.RecordNotFound, errors.RecordGone, errors.TooManyWaiting),
)
async def get_record(
    request: Request,
    record_id: RecordId,
    links: RecordLinks,
    changes: RecordChanges,
    prefer: Annotated[
        str | None,
        Header(
            description="`wait=N` holds the answer until the record is finished, for at most N seconds (up to 30)."
        ),
    ] = None,
) -> Response:
    """Show a record's status, progress and download link."""
    wait_s = _parse_wait_s(prefer)
    if wait_s:
        snapshot = await changes.wait_until_final(request, record_id, wait_s)
    else:
        snapshot = await changes.load(record_id)
    if snapshot.is_gone:
        raise errors.RecordGone
    # A ready answer: FastAPI would validate the record once more, at each status poll.
    content = views.view(snapshot, links).model_dump_json()
    headers = {"Preference-Applied": f"wait={wait_s}"} if wait_s else None
    return Response(content, headers=headers, media_type="application/json")


def _parse_wait_s(prefer: str | None) -> int:
    """Return the seconds of `wait` in a Prefer header (RFC 7240, 4.3). Malformed ones are ignored (section 2)."""
    wait = WAIT.search(prefer or "")
    return min(int(wait[1]), MAX_WAIT_S) if wait else 0


@router.get("/records", responses=responses(errors.BadCredentials, errors.TooManyBadCredentials))
def list_records(
    user_id: CurrentUser,
    session: DbSession,
    links: RecordLinks,
    limit: Annotated[int, Query(ge=1, le=100, description="Records per page.")] = 50,
    before: Annotated[UUID | None, Query(description="Last record of the previous page.")] = None,
    filename: Annotated[
        str | None, Query(examples=["song.wav"], description="Only records of this filename.")
    ] = None,
    status: Annotated[RecordStatus | None, Query(description="Only records in this state.")] = None,
) -> RecordPage:
    """List the user's records, newest first."""
    newest_first = tuple_(Record.created_at, Record.id)
    query = SNAPSHOTS.where(Record.user_id == user_id, Record.status.not_in(GONE))
    if filename is not None:
        query = query.where(Record.filename == filename.replace("\0", ""))
    if status is not None:
        query = query.where(Record.status == status)
    if before is not None:
        if session.scalar(select(Record.user_id).where(Record.id == before)) != user_id:
            raise errors.BadRequest(
                "`before` is not one of your records. Use the link `next` unchanged."
            )
        last = select(Record.created_at, Record.id).where(Record.id == before).scalar_subquery()
        query = query.where(newest_first < last)
    query = query.order_by(Record.created_at.desc(), Record.id.desc()).limit(limit + 1)
    found = snapshots.read(session.connection(), query)
    page = found[:limit]
    return RecordPage(
        records=[views.view(each, links) for each in page],
        next=links.page(page[-1].id, limit, filename, status) if len(found) > limit else None,
    )


@router.delete(
    "/records/{record_id}",
    status_code=204,
    responses=responses(
        errors.BadCredentials,
        errors.TooManyBadCredentials,
        errors.RecordNotFound,
        errors.RecordGone,
    ),
)
def delete_record(record_id: RecordId, user_id: CurrentUser, settings: AppSettings) -> None:
    """Cancel or delete a record. Stops the conversion, deletes all its files and frees the filename."""
    with db.transaction() as session:
        views.find(session, record_id, user_id)
        db.records.mark_gone(session, record_id, RecordStatus.DELETED)
    media.delete_all(media.record_files(settings.media_dir, user_id, record_id))
