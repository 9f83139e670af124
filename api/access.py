"""Decides who may open a record. Without LINK_TTL_S, its id is enough. With it, a signed link or a token is needed."""

import asyncio
import time
from functools import cache
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request
from starlette.datastructures import QueryParams

from api.authentication import authenticate_owner
from shared import links
from shared.errors import (
    BadCredentials,
    BadRequest,
    BadSignature,
    LinkExpired,
    RecordNotFound,
    TooManyBadCredentials,
    Wav2mp3Error,
)
from shared.links import LinkKind, LinkSigner
from shared.settings import get_settings

LINK_ERRORS = (BadCredentials, TooManyBadCredentials, BadSignature, LinkExpired)
LINK_QUERY = {
    "parameters": [
        {
            "name": "expires",
            "in": "query",
            "required": False,
            "description": "Part of a signed link: the time of its expiry in seconds since 1970.",
            "schema": {"type": "integer", "examples": [1_795_875_699]},
        },
        {
            "name": "signature",
            "in": "query",
            "required": False,
            "description": "Part of a signed link. The service checks it if links expire (`LINK_TTL_S`).",
            "schema": {
                "type": "string",
                "examples": ["A9q-i1nno872VqVtI0hgJT3P3wceoGBCkMEd3XqLYyE"],
            },
        },
    ]
}
"""For the `openapi_extra` of a route."""
MAX_EXPIRES_CHARS = 20


@cache
def link_signer() -> LinkSigner | None:
    return links.link_signer(get_settings())


class _Open:
    """A dependency of an endpoint. It reads the query itself, because FastAPI takes 20 µs for each parameter."""

    query_names = ("expires", "signature", "token")

    def __init__(self, kind: LinkKind) -> None:
        self._kind = kind

    async def __call__(self, request: Request) -> None:
        """Check the request. Raises BadRequest, BadCredentials, BadSignature, LinkExpired, RecordNotFound."""
        signer = link_signer()
        if signer is None:
            return
        record_id = _record_id(request)
        refusal = _refuse_link(signer, self._kind, record_id, request.query_params)
        if refusal is None:
            return
        owner = await asyncio.to_thread(authenticate_owner, request, refusal)
        if (await request.state.changes.load(record_id)).user_id != owner:
            raise RecordNotFound


# Parameters of endpoints, not of routes: every route of an endpoint has them, for example HEAD.
OpenStatus = Annotated[None, Depends(_Open(LinkKind.STATUS))]
OpenDownload = Annotated[None, Depends(_Open(LinkKind.DOWNLOAD))]


def _record_id(request: Request) -> UUID:
    """Return the id in the path or query. Raises BadRequest, also for a spelling that only Pydantic accepts."""
    sent: str = request.path_params.get("record_id") or request.query_params.get("id", "")
    try:
        return UUID(sent)
    except ValueError as error:
        raise BadRequest("The record's id is malformed. Use the link unchanged.") from error


def _refuse_link(
    signer: LinkSigner, kind: LinkKind, record_id: UUID, query: QueryParams
) -> Wav2mp3Error | None:
    """Return the reason why the link does not open the record, or None if it does."""
    if "expires" not in query and "signature" not in query:
        return BadCredentials(
            "The id alone does not open this record. Use a link that the service returned, or send the owner's token."
        )
    expires = query.get("expires", "")
    if not (expires.isascii() and expires.isdecimal() and len(expires) < MAX_EXPIRES_CHARS):
        return BadSignature()
    try:
        signer.check(kind, record_id, int(expires), query.get("signature", ""), time.time())
    except (BadSignature, LinkExpired) as refusal:
        return refusal
    return None
