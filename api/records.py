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
    body_limits,
)
from api.http import Multipart, body_chunks
from api.options import ConversionOptions, TagOptions
from api.problems import responses
from api.schemas import RecordAccepted, RecordPage, RecordView
from api.snapshots import SNAPSHOTS
from api.threads import run_in_turn
from api.upload import MAX_FORM_BYTES, Upload
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
                    "type": "object",
                    "required": ["wav_file"],
                    "properties": {"wav_file": {"type": "string", "format": "binary"}},
                }
            }
        },
    }
}


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
        errors.TooManyPending,
        errors.NoSpace,
    ),
)
async def create_record(
    request: Request,
    response: Response,
    user_id: CurrentUser,
    options: ConversionOptions,
    tags: TagOptions,
    settings: AppSettings,
    links: RecordLinks,
) -> RecordAccepted:
    """Upload a WAV as the form file `wav_file`. Answers once the file is stored safely; then poll `status_link`."""
    form = Multipart(request.headers.get("content-type", ""))
    await asyncio.to_thread(_check_content_length, request.headers.get("content-length"), settings)
    upload = Upload(user_id, options, tags, settings)
    try:
        await upload.receive(body_chunks(request, body_limits(settings)), form)
        record_id = await asyncio.to_thread(upload.accept)
    except BaseException:
        await run_in_turn(upload.abort)
        raise
    response.headers["Location"] = links.status(record_id)
    response.headers["Retry-After"] = str(POLL_AFTER_S)
    return RecordAccepted(
        id=record_id,
        status=RecordStatus.QUEUED,
        status_link=links.status(record_id),
        download_link=links.download(record_id, user_id),
    )


def _check_content_length(content_length: str | None, settings: AppSettings) -> None:
    size_bytes = int(content_length or 0)
    if size_bytes > settings.max_upload_bytes + MAX_FORM_BYTES:
        raise errors.UploadTooLarge
    # Twice the size, because during assembly the volume holds the source, the parts and the MP3.
    if media.free_bytes(settings.media_dir) - 2 * size_bytes < settings.min_free_bytes:
        raise errors.NoSpace


@router.get(
    "/records/{record_id}",
    response_model=RecordView,
    responses=responses(errors.RecordNotFound, errors.RecordGone, errors.TooManyWaiting),
)
async def show_record(
    request: Request,
    record_id: UUID,
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


@router.get("/records", responses=responses(errors.BadCredentials))
def list_records(
    user_id: CurrentUser,
    session: DbSession,
    links: RecordLinks,
    limit: Annotated[int, Query(ge=1, le=100, description="Records per page.")] = 50,
    before: Annotated[UUID | None, Query(description="Last record of the previous page.")] = None,
) -> RecordPage:
    """List the user's records, newest first."""
    newest_first = tuple_(Record.created_at, Record.id)
    query = SNAPSHOTS.where(Record.user_id == user_id, Record.status.not_in(GONE))
    if before is not None:
        last = select(Record.created_at, Record.id).where(Record.id == before).scalar_subquery()
        query = query.where(newest_first < last)
    query = query.order_by(Record.created_at.desc(), Record.id.desc()).limit(limit + 1)
    found = snapshots.read(session.connection(), query)
    page = found[:limit]
    return RecordPage(
        records=[views.view(each, links) for each in page],
        next=links.page(page[-1].id, limit) if len(found) > limit else None,
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
