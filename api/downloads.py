"""The MP3 itself: `GET /record`, which waits while it is not ready yet."""

import re
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse

from api import views
from api.deps import AppSettings, RecordChanges
from api.problems import answer, problem, responses
from shared import db, errors, media, records
from shared.models import Record, RecordStatus

router = APIRouter(tags=["records"])

MAX_WAIT_S = 30.0


@router.get(
    "/record",
    response_class=FileResponse,
    responses=responses(
        errors.RecordNotFound,
        errors.RecordNotReady,
        errors.RecordGone,
        errors.BadRange,
        media_type="audio/mpeg",
    ),
)
@router.head("/record", include_in_schema=False)
async def download(
    request: Request,
    record_id: Annotated[UUID, Query(alias="id")],
    settings: AppSettings,
    changes: RecordChanges,
    user_id: UUID | None = None,
    user: Annotated[UUID | None, Query(description="the same as user_id")] = None,
) -> Response:
    """The MP3. While it is not ready yet the answer waits for it, 30 s at most."""
    owner = user_id or user
    if owner is None:
        raise errors.BadRequest("The link lacks `user_id`. Use the download_link as it was given.")

    def load() -> Record:
        with db.transaction() as session:
            record = views.find(session, record_id)
        if record.user_id != owner:
            raise errors.RecordNotFound
        return record

    def is_finished(record: Record) -> bool:
        return record.status in records.FINISHED

    record = await changes.wait_until(record_id, load, is_finished, MAX_WAIT_S)
    if record.status == RecordStatus.FAILED:
        return answer(problem(record.error_code or "", record.error_detail or ""))
    if record.status != RecordStatus.DONE:
        raise errors.RecordNotReady
    return _mp3(request, record, settings)


def _mp3(request: Request, record: Record, settings: AppSettings) -> Response:
    # An MP3 never changes once its record is done, so the record's id is a strong validator (RFC 9110, 8.8.3).
    headers = {"ETag": f'"{record.id}"', "Cache-Control": "private, max-age=31536000, immutable"}
    known = request.headers.get("if-none-match", "")
    if known.strip() == "*" or headers["ETag"] in known:
        return Response(status_code=304, headers=headers)
    _heed_range(request, record.mp3_bytes or 0)
    return FileResponse(
        media.record_files(settings.media_dir, record.user_id, record.id).mp3,
        media_type="audio/mpeg",
        filename=views.mp3_name(record.filename),
        headers=headers,
    )


def _heed_range(request: Request, size_bytes: int) -> None:
    """Drop a Range that means nothing, as RFC 9110 14.2 has it; raise BadRange for one behind the end."""
    ranges = re.fullmatch(r"bytes=\s*(\d+-\d*|-\d+)(\s*,.*)?", request.headers.get("range", ""))
    if ranges is None:
        kept = [pair for pair in request.scope["headers"] if pair[0] != b"range"]
        request.scope["headers"] = kept
    elif ranges[2] is None and (
        ranges[1] == "-0" or int(ranges[1].partition("-")[0] or 0) >= size_bytes
    ):
        raise errors.BadRange(size_bytes)
