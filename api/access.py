"""Opens a record: by its id alone or, with LINK_TTL_S, by a signed link or with its owner's token."""

import asyncio
import time
from functools import cache
from typing import Annotated, NamedTuple
from uuid import UUID

from fastapi import Depends, Query, Request

from api.deps import RecordChanges, RecordId, authenticate_owner
from shared.errors import (
    BadCredentials,
    BadSignature,
    LinkExpired,
    RecordNotFound,
    TooManyBadCredentials,
)
from shared.settings import get_settings
from shared.signed_links import LinkKind, LinkSigner

LINK_ERRORS = (BadCredentials, TooManyBadCredentials, BadSignature, LinkExpired)


class SentLink(NamedTuple):
    expires_s: int | None
    signature: str | None


@cache
def link_signer() -> LinkSigner | None:
    """Return None if links do not expire."""
    settings = get_settings()
    if settings.link_ttl_s is None:
        return None
    return LinkSigner(settings.signing_keys, settings.link_ttl_s)


async def _sent_link(
    expires: Annotated[
        int | None,
        Query(description="Part of a signed link: the time of expiry in seconds since 1970."),
    ] = None,
    signature: Annotated[
        str | None,
        Query(description="Part of a signed link. The service checks it if links expire."),
    ] = None,
    _token: Annotated[str | None, Query(alias="token", include_in_schema=False)] = None,
) -> SentLink:
    return SentLink(expires, signature)


Sent = Annotated[SentLink, Depends(_sent_link)]


async def _check(
    kind: LinkKind, record_id: UUID, sent: SentLink, request: Request, changes: RecordChanges
) -> None:
    """Raises BadCredentials, BadSignature, LinkExpired, RecordNotFound."""
    signer = link_signer()
    if signer is None:
        return
    refusal = _refuse_link(signer, kind, record_id, sent)
    if refusal is None:
        return
    owner = await asyncio.to_thread(authenticate_owner, request, refusal)
    if (await changes.load(record_id)).user_id != owner:
        raise RecordNotFound


def _refuse_link(
    signer: LinkSigner, kind: LinkKind, record_id: UUID, sent: SentLink
) -> BadSignature | LinkExpired | BadCredentials | None:
    """Return the reason why the link does not open the record, or None if it does."""
    if sent.expires_s is None and sent.signature is None:
        return BadCredentials(
            "The id alone does not open this record. Use a link that the service returned, or send its owner's token."
        )
    try:
        signer.check(kind, record_id, sent.expires_s or 0, sent.signature or "", time.time())
    except (BadSignature, LinkExpired) as refusal:
        return refusal
    return None


async def _open_status(
    request: Request, record_id: RecordId, sent: Sent, changes: RecordChanges
) -> None:
    await _check(LinkKind.STATUS, record_id, sent, request, changes)


async def _open_download(
    request: Request, record_id: RecordId, sent: Sent, changes: RecordChanges
) -> None:
    await _check(LinkKind.DOWNLOAD, record_id, sent, request, changes)


QueryRecordId = Annotated[UUID, Query(alias="id", description="The record's id.")]


async def _open_download_by_query(
    request: Request, record_id: QueryRecordId, sent: Sent, changes: RecordChanges
) -> None:
    await _check(LinkKind.DOWNLOAD, record_id, sent, request, changes)


# Parameters of endpoints, not of routes: every route of an endpoint has them, for example HEAD.
OpenStatus = Annotated[None, Depends(_open_status)]
OpenDownload = Annotated[None, Depends(_open_download)]
OpenDownloadByQuery = Annotated[None, Depends(_open_download_by_query)]
