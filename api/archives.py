"""`GET /records.zip` sends many MP3s as one ZIP. The ZIP does not compress them, because that saves nothing.

The archive is made while it is sent, so memory use does not depend on its size. Its size is known in advance. If an MP3
is deleted meanwhile, the connection closes before the promised Content-Length: clients see that the file is incomplete.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import chain, count
from pathlib import Path
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse
from sqlalchemy import select
from sqlalchemy.orm import Session
from zipstream import ZipStream

from api.authentication import CurrentUser
from api.deps import AppSettings
from api.described_errors import FAILURES, responses
from api.filenames import mp3_filename
from api.openapi import success
from api.problems import failure_response
from api.schemas import RECORD_ID
from api.volume import reading
from shared import db, errors, media
from shared.db import Record, RecordStatus

router = APIRouter(tags=["records"])

CHUNK_BYTES = 2**18
MEDIA_TYPE = "application/zip"
FORBIDDEN_CHARS = re.compile(r'[<>:"/\\|?*]')
"""Windows cannot extract files with these characters in their names."""


@router.get(
    "/records.zip",
    response_class=StreamingResponse,
    responses={
        **responses(
            errors.BadCredentials,
            errors.TooManyBadCredentials,
            errors.RecordNotFound,
            errors.RecordNotReady,
            errors.RecordGone,
            errors.StorageUnavailable,
            *FAILURES,
        ),
        **success(200, "The ZIP.", "Content-Disposition", media_type=MEDIA_TYPE),
    },
)
def download_archive(
    user_id: CurrentUser,
    settings: AppSettings,
    record_ids: Annotated[
        list[UUID],
        Query(
            alias="id",
            examples=[[RECORD_ID]],
            description="A record's id. Repeat the parameter for each record. Default: all records that are done.",
        ),
    ] = [],  # noqa: B006 -- FastAPI copies it
) -> Response:
    """Download the MP3s of many records as one ZIP."""
    with db.transaction() as session:
        records = _find(session, user_id, record_ids)
    for record in records:
        if record.status == RecordStatus.FAILED:
            return failure_response(record.error_code, record.error_detail)
        if record.status != RecordStatus.DONE:
            raise errors.RecordNotReady
    archive = _archive(records, settings.media_dir)
    headers = {
        "Content-Disposition": 'attachment; filename="records.zip"',
        "Content-Length": str(len(archive)),
        "Cache-Control": "private, no-store",
    }
    return StreamingResponse(_chunks(archive), headers=headers, media_type=MEDIA_TYPE)


def _find(session: Session, user_id: UUID, record_ids: Sequence[UUID]) -> Sequence[Record]:
    if record_ids:
        return [db.records.find(session, each, user_id) for each in dict.fromkeys(record_ids)]
    done = select(Record).where(Record.user_id == user_id, Record.status == RecordStatus.DONE)
    records = session.scalars(done.order_by(Record.created_at, Record.id)).all()
    if not records:
        raise errors.RecordNotFound("None of your records is done yet. Upload a WAV first.")
    return records


def _archive(records: Sequence[Record], media_dir: Path) -> ZipStream:
    archive = ZipStream(sized=True)
    taken: set[str] = set()
    for record in records:
        mp3 = media.record_files(media_dir, record.user_id, record.id).mp3
        with reading(media_dir, mp3, errors.RecordGone):
            archive.add_path(mp3, _free_name(record.filename, taken), recurse=False)
    return archive


def _free_name(wav_filename: str, taken: set[str]) -> str:
    """Return a name for the MP3 that is also free on file systems that ignore case."""
    filename = FORBIDDEN_CHARS.sub("_", wav_filename)
    ends = chain([".mp3"], (f" ({number}).mp3" for number in count(2)))
    names = (mp3_filename(filename, end) for end in ends)
    name = next(name for name in names if name.casefold() not in taken)
    taken.add(name.casefold())
    return name


def _chunks(archive: ZipStream) -> Iterator[bytes]:
    """Join the archive's chunks to larger ones, because each chunk costs a change of threads."""
    buffer = bytearray()
    for piece in archive:
        buffer += piece
        if len(buffer) >= CHUNK_BYTES:
            yield bytes(buffer)
            buffer.clear()
    yield bytes(buffer)
