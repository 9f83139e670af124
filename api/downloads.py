"""The MP3 itself: `GET /record`, which waits while it is not ready yet."""

import asyncio
import re
from pathlib import PurePath
from typing import Annotated
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse

from api import views
from api.changes import MAX_WAIT_S
from api.deps import AppSettings, RecordChanges
from api.http import satisfiable
from api.problems import answer, problem, responses
from shared import db, errors, media
from shared.db import Record, RecordStatus

router = APIRouter(tags=["records"])

MAX_NAME_BYTES = 255
"""what file systems take"""
WAV_SUFFIXES = (".wav", ".wave", ".bwf", ".rf64", ".bw64", ".w64")


class Mp3Response(FileResponse):
    chunk_size = 2**18


@router.get(
    "/record",
    response_class=Mp3Response,
    responses=responses(
        errors.RecordNotFound,
        errors.RecordNotReady,
        errors.RecordGone,
        errors.BadRange,
        # of a record that failed: why
        errors.NotAWav,
        errors.BadWav,
        errors.NoSpace,
        errors.Wav2mp3Error,
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
            return views.find(session, record_id, owner)

    def is_finished(record: Record) -> bool:
        return record.status in db.FINISHED

    record = await changes.wait_until(record_id, load, is_finished, MAX_WAIT_S)
    if record.status == RecordStatus.FAILED:
        return answer(problem(record.error_code or "", record.error_detail or ""))
    if record.status != RecordStatus.DONE:
        raise errors.RecordNotReady
    return await asyncio.to_thread(_mp3, request, record, settings)


def _mp3(request: Request, record: Record, settings: AppSettings) -> Response:
    # An MP3 never changes once its record is done, so the record's id is a strong validator (RFC 9110, 8.8.3). It may
    # be deleted, though: whoever keeps a copy has to ask before each use.
    headers = {"ETag": f'"{record.id}"', "Cache-Control": "private, no-cache"}
    known = request.headers.get("if-none-match", "")
    if known.strip() == "*" or headers["ETag"] in known:
        return Response(status_code=304, headers=headers)
    _heed_range(request, record.mp3_bytes or 0, headers["ETag"])
    path = media.record_files(settings.media_dir, record.user_id, record.id).mp3
    try:
        found = path.stat()
    except FileNotFoundError as error:  # it was deleted since we looked
        raise errors.RecordGone from error
    return Mp3Response(
        path,
        stat_result=found,
        media_type="audio/mpeg",
        headers={**headers, "Content-Disposition": _disposition(_mp3_name(record.filename))},
    )


def _heed_range(request: Request, size_bytes: int, etag: str) -> None:
    """Leave in Range what FileResponse is to send, or nothing. Raises BadRange."""
    headers = request.headers
    wanted = headers.get("range", "")
    is_meant = request.method == "GET" and headers.get("if-range", etag) == etag
    spans = satisfiable(wanted, size_bytes) if is_meant else None
    if spans == []:
        raise errors.BadRange(size_bytes)
    request.scope["headers"] = [pair for pair in request.scope["headers"] if pair[0] != b"range"]
    if spans:
        kept = ",".join(f"{span.start}-{span.stop - 1}" for span in spans)
        request.scope["headers"].append((b"range", f"bytes={kept}".encode()))


def _mp3_name(filename: str) -> str:
    path = PurePath(filename)
    stem = path.stem if path.suffix.lower() in WAV_SUFFIXES else filename
    return f"{stem.encode()[: MAX_NAME_BYTES - len('.mp3')].decode(errors='ignore')}.mp3"


def _disposition(name: str) -> str:
    """Both forms of the name, as RFC 6266 (appendix D) advises: curl, among others, knows the first one only."""
    plain = re.sub(r'[^ -~]|["\\%]', "_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
