"""`PUT /mp3/{filename}` takes a WAV and answers with its MP3, in one request: curl -T song.wav …/mp3/ -o song.mp3."""

import asyncio
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import JSONResponse

from api import uploads
from api.authentication import CurrentUser
from api.changes import MAX_WAIT_S, Changes
from api.deps import AppSettings, RecordChanges
from api.described_errors import FAILURES, responses
from api.downloads import Mp3Response, mp3_response
from api.idempotency import REPLAYED, UserKey
from api.openapi import success
from api.options import QueryOptions
from api.preferences import Prefer, applied, parse_wait_s
from api.problems import failure_response
from api.schemas import RecordAccepted
from api.snapshots import Snapshot
from api.uploads import Accepted
from api.views import Links, RecordLinks
from shared import errors
from shared.db import RecordStatus
from shared.settings import Settings

router = APIRouter(tags=["records"])

BODY = {
    "requestBody": {
        "required": True,
        "description": "The WAV itself.",
        "content": {uploads.OCTET_STREAM: uploads.RAW_SCHEMA},
    },
}
RECORD_HEADERS = ("Location", "Preference-Applied", "Idempotency-Replayed")


@router.put(
    "/mp3/{filename}",
    response_class=Mp3Response,
    openapi_extra=BODY,
    responses={
        **responses(*uploads.UPLOAD_ERRORS, errors.RecordGone, *FAILURES),
        **success(
            200, "The MP3.", *RECORD_HEADERS, "Content-Disposition", "ETag", media_type="audio/mpeg"
        ),
        202: {
            **success(
                202,
                "The WAV is stored, and its MP3 was not ready in time. Poll `status_link`.",
                *RECORD_HEADERS,
                "Retry-After",
            )[202],
            "model": RecordAccepted,
        },
    },
)
async def convert_wav(
    request: Request,
    filename: Annotated[
        str, Path(openapi_examples={"song": {"value": "song.wav"}}, description="Name of the WAV.")
    ],
    user_id: CurrentUser,
    options: QueryOptions,
    settings: AppSettings,
    links: RecordLinks,
    changes: RecordChanges,
    key: UserKey,
    prefer: Prefer = None,
) -> Response:
    """Upload a WAV as the body, and get its MP3 as the answer. `curl -T song.wav …/mp3/ -o song.mp3` does that.

    If the MP3 is not ready within 30 s, or the seconds of `Prefer: wait=N`, the answer is a 202 with the links of the
    record. The record stays in every case; `Location` is its status link. If the conversion failed, the answer is the
    problem. A repeated Idempotency-Key gets the MP3 of the record that the first request created.
    """
    body = uploads.raw_body(request, filename)
    accepted = await uploads.receive(request, body, user_id, options, settings, key)
    wait_s = parse_wait_s(prefer, MAX_WAIT_S)
    record = await _wait(request, accepted.record_id, wait_s, changes)
    answer = await _answer(record, accepted, links, settings)
    answer.headers["Location"] = links.status(accepted.record_id)
    if accepted.is_replayed:
        answer.headers.update(REPLAYED)
    answer.headers.update(applied(prefer))
    return answer


async def _wait(request: Request, record_id: UUID, wait_s: int, changes: Changes) -> Snapshot:
    """Return the record once it is final or the wait is over."""
    if wait_s:
        try:
            return await changes.wait_until_final(request, record_id, wait_s)
        except (errors.TooManyWaiting, errors.ShuttingDown):
            pass  # The WAV is stored: the client must not upload it again.
    return await changes.load(record_id)


async def _answer(
    record: Snapshot, accepted: Accepted, links: Links, settings: Settings
) -> Response:
    if record.is_gone:
        raise errors.RecordGone
    if record.status == RecordStatus.FAILED:
        return failure_response(record.error_code, record.error_detail)
    if record.status == RecordStatus.DONE:
        return await asyncio.to_thread(mp3_response, record, settings)
    status = RecordStatus(record.status)
    body = uploads.describe_accepted(accepted, record.user_id, links, status)
    return JSONResponse(
        body.model_dump(mode="json"), 202, uploads.accepted_headers(accepted, links)
    )
