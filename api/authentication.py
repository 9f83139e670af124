"""Checks the token of a request."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Header, Query, Request
from fastapi.security import APIKeyHeader, APIKeyQuery, HTTPBearer

from api import rate_limits
from api.schemas import USER_ID
from shared import db
from shared.db import Identity
from shared.errors import BadCredentials, Wav2mp3Error

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


def bearer_token(authorization: str | None) -> str:
    """Return the token of an Authorization header, or "". Other schemes are ignored: they may be meant for a proxy."""
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _choose_token(
    token: str | None, token_header: str | None, authorization: str | None
) -> str | None:
    """Return the only token of a request. Raises BadCredentials."""
    sent = {each for each in (token, token_header, bearer_token(authorization)) if each}
    if authorization and not sent:
        raise BadCredentials("The Authorization header must be `Bearer`, a space and the token.")
    if len(sent) > 1:
        raise BadCredentials(
            "The request has different tokens. Send one, in the query or in a header."
        )
    return next(iter(sent), None)


def _find_identity(token: str | None, user_id: str | None) -> Identity:
    """Return the token's user. Raises BadCredentials."""
    if not token:
        raise BadCredentials(
            "The request has no token. Send the one from POST /users as `token` in the query, or in the header "
            "`Authorization: Bearer TOKEN`."
        )
    # A separate transaction, because an upload may take hours and must not hold a connection. Nothing is cached, so
    # that a revoked token is refused at once.
    with db.transaction() as session:
        found = db.tokens.identify(session, token)
    if found is None:
        raise BadCredentials(
            "The token is unknown or was revoked. Send it as POST /users returned it."
        )
    if user_id is not None and user_id.lower() != str(found.user_id):
        raise BadCredentials
    return found


def _authenticate(
    request: Request,
    # BEARER, TOKEN_QUERY and TOKEN_HEADER describe these three: OpenAPI ignores a parameter named `authorization`.
    token: Annotated[str | None, Query(include_in_schema=False)] = None,
    token_header: Annotated[str | None, Header(alias="token", include_in_schema=False)] = None,
    authorization: Annotated[str | None, Header(include_in_schema=False)] = None,
    user_id: Annotated[
        str | None, Query(description="The user's id. May be left out.", examples=[USER_ID])
    ] = None,
) -> Identity:
    """Return the token's user. Raises BadCredentials, TooManyBadCredentials."""
    try:
        return _find_identity(_choose_token(token, token_header, authorization), user_id)
    except BadCredentials:
        # Good credentials are not counted, so that users at one address cannot lock each other out.
        rate_limits.count_bad_credentials(request)
        raise


def authenticate_owner(request: Request, refusal: Wav2mp3Error) -> UUID:
    """Return the id of the token's user, for a call that needs no token in other cases.

    Raises BadCredentials, TooManyBadCredentials, or `refusal` if the request has no token.
    """
    query, headers = request.query_params, request.headers
    sent = (query.get("token"), headers.get("token"), headers.get("authorization"))
    if any(sent):
        return _authenticate(request, *sent).user_id
    if isinstance(refusal, BadCredentials):
        rate_limits.count_bad_credentials(request)
    raise refusal


def _describe_security(
    _bearer: Annotated[object, Depends(BEARER)],
    _query: Annotated[object, Depends(TOKEN_QUERY)],
    _header: Annotated[object, Depends(TOKEN_HEADER)],
    identity: Annotated[Identity, Depends(_authenticate)],
) -> Identity:
    """Declare the schemes of OpenAPI beside the authentication."""
    return identity


CurrentToken = Annotated[Identity, Depends(_describe_security)]


async def _current_user(identity: CurrentToken) -> UUID:
    return identity.user_id


CurrentUser = Annotated[UUID, Depends(_current_user)]
