"""Downloads: `GET /record` sends the MP3, and waits until it is ready."""

import asyncio
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse

from api.access import LINK_ERRORS, LINK_QUERY, OpenDownload
from api.changes import MAX_WAIT_S, Changes
from api.conditions import allows_range, is_known
from api.deps import AppSettings, PathRecordId, RecordChanges
from api.described_errors import FAILURES, responses
from api.filenames import content_disposition
from api.http import parse_ranges
from api.openapi import success
from api.preferences import Prefer, applied, parse_wait_s
from api.problems import failure_response
from api.schemas import RECORD_ID, USER_ID
from api.snapshots import Snapshot
from api.volume import reading
from shared import errors, media
from shared.db import RecordStatus
from shared.settings import Settings

router = APIRouter(tags=["records"])


class Mp3Response(FileResponse):
    chunk_size = 2**18


MP3_HEADERS = (
    "Accept-Ranges",
    "Content-Disposition",
    "ETag",
    "Last-Modified",
    "Preference-Applied",
)
DOWNLOAD_RESPONSES = {
    **responses(
        *LINK_ERRORS,
        errors.RecordNotFound,
        errors.RecordNotReady,
        errors.RecordGone,
        errors.TooManyWaiting,
        errors.BadRange,
        errors.StorageUnavailable,
        *FAILURES,
    ),
    **success(200, "The MP3.", *MP3_HEADERS, media_type="audio/mpeg"),
    **success(
        206,
        "The ranges that Range requests.",
        *MP3_HEADERS,
        "Content-Range",
        media_type="audio/mpeg",
    ),
    **success(304, "The client already has this MP3.", "ETag"),
}


@router.get(
    "/record",
    response_class=Mp3Response,
    openapi_extra=LINK_QUERY,
    responses=DOWNLOAD_RESPONSES,
)
async def download_by_query(
    request: Request,
    record_id: Annotated[
        UUID, Query(alias="id", examples=[RECORD_ID], description="The record's id.")
    ],
    _: OpenDownload,
    settings: AppSettings,
    changes: RecordChanges,
    user_id: Annotated[
        UUID | None, Query(examples=[USER_ID], description="The id of the record's user.")
    ] = None,
    user: Annotated[
        UUID | None, Query(examples=[USER_ID], description="Another name for `user_id`.")
    ] = None,
    prefer: Prefer = None,
) -> Response:
    """Download the MP3. If it is not ready yet, the answer waits up to 30 s."""
    owner = user_id or user
    if owner is None:
        raise errors.BadRequest("The link lacks `user_id`. Use the `download_link` unchanged.")

    record = await changes.load(record_id)
    if record.user_id != owner:
        raise errors.RecordNotFound
    return await _answer_when_ready(request, record_id, settings, changes, prefer)


@router.get(
    "/records/{record_id}/mp3",
    response_class=Mp3Response,
    openapi_extra=LINK_QUERY,
    responses=DOWNLOAD_RESPONSES,
)
async def download_mp3(
    request: Request,
    record_id: PathRecordId,
    _: OpenDownload,
    settings: AppSettings,
    changes: RecordChanges,
    prefer: Prefer = None,
) -> Response:
    """Download the MP3. If it is not ready yet, the answer waits up to 30 s."""
    return await _answer_when_ready(request, record_id, settings, changes, prefer)


async def _answer_when_ready(
    request: Request, record_id: UUID, settings: Settings, changes: Changes, prefer: Prefer
) -> Response:
    wait_s = parse_wait_s(prefer, MAX_WAIT_S)
    record = await changes.load(record_id)
    if not record.is_final and wait_s:
        record = await changes.wait_until_final(request, record_id, wait_s)
    if record.is_gone:
        raise errors.RecordGone
    if record.status == RecordStatus.FAILED:
        return failure_response(record.error_code, record.error_detail)
    if record.status != RecordStatus.DONE:
        raise errors.RecordNotReady
    answer = await asyncio.to_thread(_answer_conditionally, request, record, settings)
    answer.headers.update(applied(prefer))
    return answer


def _answer_conditionally(request: Request, record: Snapshot, settings: Settings) -> Response:
    answer = mp3_response(record, settings)
    if is_known(request.headers, answer.headers):
        return Response(status_code=304, headers=_validators(record))
    may_be_part = allows_range(request.headers, answer.headers)
    _filter_range(request, record.mp3_bytes or 0, may_be_part=may_be_part)
    return answer


def mp3_response(record: Snapshot, settings: Settings) -> Mp3Response:
    """Return the answer with the MP3 of a done record. Raises RecordGone, StorageUnavailable."""
    path = media.record_files(settings.media_dir, record.user_id, record.id).mp3
    with reading(settings.media_dir, path, errors.RecordGone):
        stat = path.stat()
    disposition = content_disposition(record.filename)
    return Mp3Response(
        path,
        stat_result=stat,
        media_type="audio/mpeg",
        headers={**_validators(record), "Content-Disposition": disposition},
    )


def _validators(record: Snapshot) -> dict[str, str]:
    # An MP3 never changes once its record is done, so the record's id is a strong validator (RFC 9110, 8.8.3). It can
    # be deleted, so caches must revalidate before each use.
    return {"ETag": f'"{record.id}"', "Cache-Control": "private, no-cache"}


def _filter_range(request: Request, size_bytes: int, *, may_be_part: bool) -> None:
    """Replace the Range header by the satisfiable ranges, or remove it. Raises BadRange."""
    requested = request.headers.get("range", "")
    ranges = parse_ranges(requested, size_bytes) if may_be_part else None
    if ranges == []:
        raise errors.BadRange(size_bytes)
    request.scope["headers"] = [pair for pair in request.scope["headers"] if pair[0] != b"range"]
    if ranges:
        specs = ",".join(f"{each.start}-{each.stop - 1}" for each in ranges)
        request.scope["headers"].append((b"range", f"bytes={specs}".encode()))
