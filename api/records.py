"""Records: upload, show, list and delete."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import ColumnElement, select, tuple_
from sqlalchemy.orm import Session

from api import snapshots, uploads, views
from api.access import LINK_ERRORS, LINK_QUERY, OpenStatus
from api.authentication import CurrentUser
from api.deps import AppSettings, PathRecordId, RecordChanges
from api.described_errors import responses
from api.idempotency import UserKey
from api.openapi import success
from api.options import QueryOptions
from api.preferences import Prefer, applied, parse_wait_s
from api.schemas import RECORD_ID, RecordAccepted, RecordPage, RecordView
from api.snapshots import SNAPSHOTS
from api.upload_stream import FILE_FIELD
from api.uploads import UPLOAD_ERRORS
from api.views import RecordLinks
from api.volume import delete_all
from shared import db, errors, media
from shared.db import GONE, Record, RecordStatus

router = APIRouter(tags=["records"])

BODY = {
    "requestBody": {
        "required": True,
        "description": "The WAV as the form file `wav_file`, or the WAV itself.",
        "content": {
            "multipart/form-data": {
                "schema": {
                    "title": "UploadForm",
                    "type": "object",
                    "required": [FILE_FIELD],
                    # Without the options, because generated clients send required fields first: the file, and then
                    # each default, which may contradict the query.
                    "properties": {
                        FILE_FIELD: {
                            "type": "string",
                            "format": "binary",
                            "description": "The WAV, with its filename.",
                        }
                    },
                }
            },
            uploads.OCTET_STREAM: uploads.RAW_SCHEMA,
        },
    }
}


UPLOAD_RESPONSES = {
    **responses(*UPLOAD_ERRORS),
    **success(
        202,
        "The WAV is stored safely, and its conversion is queued.",
        "Location",
        "Retry-After",
        "Idempotency-Replayed",
    ),
}


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
    key: UserKey,
    filename: Annotated[
        str | None,
        Query(
            examples=["song.wav"],
            description="Name of the WAV. Takes precedence over the name in the form or in Content-Disposition.",
        ),
    ] = None,
) -> RecordAccepted:
    """Upload a WAV as the form file `wav_file`, or as the body itself. Then poll `status_link`.

    Answers once the file is stored safely. Options are query parameters, or form fields that come before the file. A
    body that is the WAV itself has `application/octet-stream`, `audio/wav`, `audio/x-wav`, `audio/wave` or
    `audio/vnd.wave` as Content-Type, and needs `filename` in the query or in Content-Disposition.
    """
    body = uploads.form_or_raw_body(request, filename)
    accepted = await uploads.receive(
        request, body, user_id, options, settings, key, filename=filename
    )
    response.headers.update(uploads.accepted_headers(accepted, links))
    return uploads.describe_accepted(accepted, user_id, links)


@router.get(
    "/records/{record_id}",
    response_model=RecordView,
    openapi_extra=LINK_QUERY,
    responses={
        **responses(*LINK_ERRORS, errors.RecordNotFound, errors.RecordGone, errors.TooManyWaiting),
        **success(200, "The record as it is now.", "Preference-Applied"),
    },
)
async def get_record(
    request: Request,
    record_id: PathRecordId,
    _: OpenStatus,
    links: RecordLinks,
    changes: RecordChanges,
    prefer: Prefer = None,
) -> Response:
    """Show a record's status, progress and download link."""
    wait_s = parse_wait_s(prefer, 0)
    if wait_s:
        snapshot = await changes.wait_until_final(request, record_id, wait_s)
    else:
        snapshot = await changes.load(record_id)
    if snapshot.is_gone:
        raise errors.RecordGone
    # Return a Response, because FastAPI would validate the record again at each status poll.
    content = views.view(snapshot, links).model_dump_json()
    return Response(content, headers=applied(prefer), media_type="application/json")


@router.get(
    "/records",
    responses={
        **responses(errors.BadCredentials, errors.TooManyBadCredentials),
        **success(200, "One page of the user's records."),
    },
)
def list_records(
    request: Request,
    user_id: CurrentUser,
    links: RecordLinks,
    limit: Annotated[int, Query(ge=1, le=100, examples=[50], description="Records per page.")] = 50,
    before: Annotated[
        UUID | None,
        Query(examples=[RECORD_ID], description="Id of the last record of the previous page."),
    ] = None,
    filename: Annotated[
        str | None, Query(examples=["song.wav"], description="Only records with this filename.")
    ] = None,
    status: Annotated[
        RecordStatus | None,
        Query(
            examples=["done"],
            description="Only records in this state. Deleted and expired records are never listed.",
        ),
    ] = None,
) -> RecordPage:
    """List the user's records, newest first."""
    query = SNAPSHOTS.where(Record.user_id == user_id, Record.status.not_in(GONE))
    if filename is not None:
        query = query.where(Record.filename == filename.replace("\0", ""))
    if status is not None:
        query = query.where(Record.status == status)
    query = query.order_by(Record.created_at.desc(), Record.id.desc()).limit(limit + 1)
    with db.transaction() as session:
        if before is not None:
            query = query.where(_is_older(session, before, user_id))
        found = snapshots.read(session.connection(), query)
    page = found[:limit]
    return RecordPage(
        records=[views.view(each, links) for each in page],
        next=links.next_page(request, page[-1].id) if len(found) > limit else None,
    )


def _is_older(session: Session, before: UUID, user_id: UUID) -> ColumnElement[bool]:
    """Return the condition of records older than this one. Raises BadRequest if the user does not have it."""
    if session.scalar(select(Record.user_id).where(Record.id == before)) != user_id:
        raise errors.BadRequest(
            "`before` is not one of your records. Use the link `next` unchanged."
        )
    last = select(Record.created_at, Record.id).where(Record.id == before).scalar_subquery()
    return tuple_(Record.created_at, Record.id) < last


@router.delete(
    "/records/{record_id}",
    status_code=204,
    response_class=Response,
    responses={
        **responses(
            errors.BadCredentials,
            errors.TooManyBadCredentials,
            errors.RecordNotFound,
            errors.RecordGone,
        ),
        **success(204, "The record was deleted."),
    },
)
def delete_record(record_id: PathRecordId, user_id: CurrentUser, settings: AppSettings) -> None:
    """Cancel or delete a record. Stops the conversion, deletes all its files and frees the filename."""
    with db.transaction() as session:
        db.records.find(session, record_id, user_id)
        db.records.mark_gone(session, record_id, RecordStatus.DELETED)
    delete_all(media.record_files(settings.media_dir, user_id, record_id))
