"""FastAPI dependencies shared by the endpoints: settings, database session, current user."""

import hashlib
from collections.abc import Iterator
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Header, Path, Query, Request
from fastapi.security import APIKeyHeader, APIKeyQuery, HTTPBearer
from sqlalchemy import select
from sqlalchemy.orm import Session

from api import rate_limits
from api.changes import Changes
from api.http import BodyLimits
from shared import db
from shared.db import User
from shared.errors import BadCredentials
from shared.settings import Settings, get_settings


def _session() -> Iterator[Session]:
    with db.transaction() as session:
        yield session


# This scope ends the transaction before the answer is sent, so that a slow client does not hold a connection.
DbSession = Annotated[Session, Depends(_session, scope="function")]


# Trivial dependencies are `async`, because FastAPI calls others in a thread.
async def _settings() -> Settings:
    return get_settings()


AppSettings = Annotated[Settings, Depends(_settings)]


async def _changes(request: Request) -> Changes:
    changes: Changes = request.state.changes
    return changes


RecordChanges = Annotated[Changes, Depends(_changes)]


EXAMPLE_USER_ID = "3f2b8c1e-9d4a-4f6e-8a7b-1c2d3e4f5a6b"
BEARER = HTTPBearer(
    scheme_name="bearer", description="The user's token as a Bearer token.", auto_error=False
)
TOKEN_QUERY = APIKeyQuery(
    name="token",
    scheme_name="token_query",
    description="The user's token as the query parameter `token`.",
    auto_error=False,
)
TOKEN_HEADER = APIKeyHeader(
    name="token",
    scheme_name="token_header",
    description="The user's token as the header `token`.",
    auto_error=False,
)


RecordId = Annotated[
    UUID,
    Path(description="The record's id.", examples=["7c9e6679-7425-40de-944b-e07fc1f90ae7"]),
]


def body_limits(settings: Settings) -> BodyLimits:
    return BodyLimits(settings.upload_idle_timeout_s, settings.min_upload_bytes_per_s)


def hash_token(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _choose_token(
    token: str | None, token_header: str | None, authorization: str | None
) -> str | None:
    """Return the only token of a request. Raises BadCredentials."""
    scheme, _, bearer = (authorization or "").partition(" ")
    # Another scheme may be meant for a proxy.
    bearer = bearer.strip() if scheme.lower() == "bearer" else ""
    sent = {each for each in (token, token_header, bearer) if each}
    if authorization and not sent:
        raise BadCredentials("The Authorization header must be `Bearer` and the token.")
    if len(sent) > 1:
        raise BadCredentials(
            "The request has different tokens. Send one, in the query or in a header."
        )
    return next(iter(sent), None)


def _find_user(token: str | None, user_id: str | None) -> UUID:
    """Return the id of the token's user. Raises BadCredentials."""
    if not token:
        raise BadCredentials(
            "The request has no token. Send the one from POST /users as `token` in the query, or in the header "
            "`Authorization: Bearer TOKEN`."
        )
    # In a transaction of its own, because an upload may take hours and must not hold a connection.
    with db.transaction() as session:
        found = session.scalar(select(User.id).where(User.token_hash == hash_token(token)))
    if found is None:
        raise BadCredentials("The token is unknown. Send it as POST /users returned it.")
    if user_id is not None and user_id.lower() != str(found):
        raise BadCredentials
    return found


def _authenticate(
    request: Request,
    # These three are described by SECURITY: OpenAPI ignores a parameter named `authorization`.
    token: Annotated[str | None, Query(include_in_schema=False)] = None,
    token_header: Annotated[str | None, Header(alias="token", include_in_schema=False)] = None,
    authorization: Annotated[str | None, Header(include_in_schema=False)] = None,
    user_id: Annotated[
        str | None, Query(description="The user's id.", examples=[EXAMPLE_USER_ID])
    ] = None,
) -> UUID:
    """Return the id of the token's user. Raises BadCredentials, TooManyBadCredentials."""
    try:
        return _find_user(_choose_token(token, token_header, authorization), user_id)
    except BadCredentials:
        # Good credentials are not counted, so nobody is locked out by others at the same address.
        rate_limits.count_bad_credentials(request)
        raise


def _describe_security(
    _bearer: Annotated[object, Depends(BEARER)],
    _query: Annotated[object, Depends(TOKEN_QUERY)],
    _header: Annotated[object, Depends(TOKEN_HEADER)],
    user_id: Annotated[UUID, Depends(_authenticate)],
) -> UUID:
    """Declare the schemes of OpenAPI beside the authentication."""
    return user_id


CurrentUser = Annotated[UUID, Depends(_describe_security)]
