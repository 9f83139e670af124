"""Turns snapshots into the records that users see, with their links."""

from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Depends, Request

from api.access import link_signer
from api.callbacks import origin
from api.options import RecordOptions
from api.problems import problem
from api.schemas import Problem, RecordView, WebhookView
from api.snapshots import Snapshot
from shared import db
from shared.db import Record
from shared.links import LinksToRecords
from shared.public_record import describe
from shared.settings import get_settings


class Links(LinksToRecords):
    """Builds absolute links on PUBLIC_URL or, if that is unset, on the host of the request."""

    def next_page(self, request: Request, last_id: UUID) -> str:
        """Return the link to the next page: the request's URL, with its credentials if they were in the query."""
        sent = [each for each in request.query_params.multi_items() if each[0] != "before"]
        return f"{self._base}/records?{urlencode([*sent, ('before', last_id)])}"


async def _links(request: Request) -> Links:
    return Links(str(get_settings().public_url or request.base_url), link_signer())


RecordLinks = Annotated[Links, Depends(_links)]


def view(snapshot: Snapshot, links: Links) -> RecordView:
    return RecordView(
        **describe(snapshot._asdict(), snapshot.encoded_fraction, links),
        queue_position=snapshot.queue_position,
        waiting_for=db.jobs.STORAGE if snapshot.waits_for_storage else None,
        options=stored_options(snapshot),
        error=_error(snapshot),
        webhook=_webhook(snapshot),
    )


def stored_options(record: Record | Snapshot) -> RecordOptions:
    # Not validated: another release may have had other limits.
    stored = record.options | record.tags
    known = {name: stored[name] for name in RecordOptions.model_fields if name in stored}
    return RecordOptions.model_construct(**known)


def _webhook(snapshot: Snapshot) -> WebhookView | None:
    if snapshot.callback_url is None:
        return None
    return WebhookView(origin=origin(snapshot.callback_url), **snapshot.delivery or {})


def _error(snapshot: Snapshot) -> Problem | None:
    if snapshot.error_code is None:
        return None
    return problem(snapshot.error_code, snapshot.error_detail or "")
