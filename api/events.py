"""A record's status as Server-Sent Events (WHATWG HTML, 9.2), for clients that do not want to poll.

Each event is named after the record's status and contains the whole record. A client that connects again sends the id
of the last event that it has seen. If that was the final event, the answer is 204, which ends an EventSource.
"""

import hashlib
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from operator import ne
from typing import Annotated

from fastapi import APIRouter, Header, Request
from fastapi.responses import Response, StreamingResponse

from api import views
from api.access import LINK_ERRORS, LINK_QUERY, OpenStatus
from api.deps import PathRecordId, RecordChanges
from api.described_errors import responses
from api.openapi import success
from api.snapshots import Snapshot
from api.views import Links, RecordLinks
from shared import db, errors

router = APIRouter(tags=["records"])

HEARTBEAT_S = 10.0
HEARTBEAT = ": heartbeat\n\n"
"""A comment. Clients ignore it; proxies and the network see that the connection is in use."""
# X-Accel-Buffering tells nginx not to buffer the events.
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
FINAL = (*db.FINISHED, *db.GONE)


@router.get(
    "/records/{record_id}/events",
    openapi_extra=LINK_QUERY,
    response_class=StreamingResponse,
    responses={
        **responses(
            *LINK_ERRORS,
            errors.RecordNotFound,
            errors.RecordGone,
            errors.TooManyWaiting,
        ),
        **success(
            200,
            "Events, each named after the record's status. Their data are the record.",
            media_type="text/event-stream",
        ),
        **success(204, "The client has already received the last event."),
    },
)
async def follow_record(
    request: Request,
    record_id: PathRecordId,
    _: OpenStatus,
    links: RecordLinks,
    changes: RecordChanges,
    last_event_id: Annotated[
        str,
        Header(
            examples=["converting-83e3f67fabc98c79"],
            description="The id of the last event that the client has received.",
        ),
    ] = "",
) -> Response:
    """Stream the record now and after each change, until it is done, failed, deleted or expired.

    A stream that has begun continues after its link has expired.
    """
    changes.waiting.check(request)
    snapshot = await changes.load(record_id)
    if last_event_id.partition("-")[0] in FINAL:
        return Response(status_code=204)
    if snapshot.is_gone and not last_event_id:
        raise errors.RecordGone

    async def events() -> AsyncIterator[str]:
        async with changes.watch(record_id) as watch:
            before = last_event_id
            while (snapshot := watch.latest) is not None:
                event_id = _event_id(snapshot)
                yield HEARTBEAT if event_id == before else _event(snapshot, event_id, links)
                if snapshot.is_final:
                    return
                before = event_id
                async with changes.waiting.hold_stream(request):
                    await watch.until(partial(ne, snapshot), HEARTBEAT_S)

    stream = _end_when_stopping(events())
    return StreamingResponse(stream, media_type="text/event-stream", headers=HEADERS)


async def _end_when_stopping(events: AsyncIterator[str]) -> AsyncIterator[str]:
    """End the stream cleanly. The client connects again, to the next process."""
    with suppress(errors.ShuttingDown):
        async for event in events:
            yield event


def _event(snapshot: Snapshot, event_id: str, links: Links) -> str:
    data = views.view(snapshot, links).model_dump_json()
    return f"id: {event_id}\nevent: {snapshot.status}\ndata: {data}\n\n"


def _event_id(snapshot: Snapshot) -> str:
    """Return an id that is the same in every API process."""
    digest = hashlib.blake2b(repr(snapshot).encode(), digest_size=8).hexdigest()
    return f"{snapshot.status}-{digest}"
