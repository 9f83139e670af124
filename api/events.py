"""A record's status as Server-Sent Events (WHATWG HTML, 9.2), for pages that would rather listen than poll."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from api import views
from api.deps import RecordChanges
from api.problems import responses
from api.schemas import RecordView
from api.views import RecordLinks
from shared import db, errors

router = APIRouter(tags=["records"])

KEEP_ALIVE_S = 15.0
# The second asks nginx not to hold the events back.
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@router.get(
    "/records/{record_id}/events",
    response_class=StreamingResponse,
    responses=responses(errors.RecordNotFound, errors.RecordGone, media_type="text/event-stream"),
)
async def follow_record(
    record_id: UUID, links: RecordLinks, changes: RecordChanges
) -> StreamingResponse:
    """The status now and after each change, until the record is finished."""

    def load() -> RecordView:
        with db.transaction() as session:
            return views.view(session, views.find(session, record_id), links)

    first = await asyncio.to_thread(load)

    async def events() -> AsyncIterator[str]:
        seen = first
        while True:
            yield f"data: {seen.model_dump_json()}\n\n"
            if seen.status in db.FINISHED:
                return
            before = seen
            try:
                seen = await changes.wait_until(record_id, load, before.__ne__, KEEP_ALIVE_S)
            except (errors.RecordGone, errors.RecordNotFound):
                return

    return StreamingResponse(events(), media_type="text/event-stream", headers=HEADERS)
