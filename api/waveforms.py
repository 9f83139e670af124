"""`GET /records/{id}/waveform` sends a record's waveform, for players and lists."""

from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import JSONResponse

from api.access import LINK_ERRORS, LINK_QUERY, OpenStatus
from api.deps import AppSettings, PathRecordId
from api.described_errors import responses
from api.generators import binary_content
from api.openapi import schema_ref
from api.schemas import WaveformView
from api.volume import reading
from shared import db, errors, media
from shared.db import RecordStatus
from shared.waveform import Waveform

router = APIRouter(tags=["records"])

DAT = "application/octet-stream"
HEADERS = {"Cache-Control": "private, max-age=3600", "Vary": "Accept, Authorization"}
"""The waveform of a done record never changes."""


class WaveformFormat(StrEnum):
    JSON = "json"
    DAT = "dat"


@router.get(
    "/records/{record_id}/waveform",
    openapi_extra=LINK_QUERY,
    response_class=Response,
    responses={
        **responses(
            *LINK_ERRORS,
            errors.RecordNotFound,
            errors.RecordGone,
            errors.NoWaveform,
            errors.StorageUnavailable,
        ),
        200: {
            "description": "The waveform, as JSON or binary.",
            "content": {
                "application/json": {"schema": schema_ref(WaveformView)},
                **binary_content(DAT),
            },
        },
    },
)
def show_waveform(
    record_id: PathRecordId,
    _: OpenStatus,
    settings: AppSettings,
    # OpenAPI ignores a parameter of this name: the media types of the answer describe it.
    accept: Annotated[str, Header(include_in_schema=False)] = "",
    chosen: Annotated[
        WaveformFormat | None,
        Query(
            alias="format",
            examples=["json"],
            description="JSON or binary. Takes precedence over the header Accept.",
        ),
    ] = None,
) -> Response:
    """Return the waveform in the format of BBC audiowaveform, version 2: JSON or binary."""
    with db.transaction() as session:
        record = db.records.find(session, record_id)
    if record.status != RecordStatus.DONE:
        raise errors.NoWaveform
    files = media.record_files(settings.media_dir, record.user_id, record.id)
    with reading(settings.media_dir, files.peaks, errors.NoWaveform):
        dat = files.peaks.read_bytes()
    if chosen == WaveformFormat.DAT or (chosen is None and DAT in accept):
        return Response(dat, headers=HEADERS, media_type=DAT)
    return JSONResponse(Waveform.from_dat(dat).to_json(), headers=HEADERS)
