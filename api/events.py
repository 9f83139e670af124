"""A record's status as Server-Sent Events (WHATWG HTML, 9.2), for clients that do not want to poll."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from api import views
from api.deps import RecordChanges
from api.problems import responses
from api.views import RecordLinks
from shared import db, errors

router = APIRouter(tags=["records"])

KEEP_ALIVE_S = 15.0
# X-Accel-Buffering tells nginx not to buffer the events.
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@router.get(
    "/records/{record_id}/events",
    response_class=StreamingResponse,
    responses=responses(errors.RecordNotFound, errors.RecordGone, media_type="text/event-stream"),
)
async def follow_record(
    record_id: UUID, links: RecordLinks, changes: RecordChanges
) -> StreamingResponse:
    """Stream the record now and after each change, until it is finished."""
    load = partial(views.load, record_id, links)
    first = await asyncio.to_thread(load)

    async def events() -> AsyncIterator[str]:
        record = first
        while True:
            yield f"data: {record.model_dump_json()}\n\n"
            if record.status in db.FINISHED:
                return
            before = record
            try:
                record = await changes.wait_until(record_id, load, before.__ne__, KEEP_ALIVE_S)
            except (errors.RecordGone, errors.RecordNotFound):
                return

    return StreamingResponse(events(), media_type="text/event-stream", headers=HEADERS)
