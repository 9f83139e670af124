"""Additional tokens of a user: one for each program or device, so that each can be revoked alone."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request, Response

from api.authentication import CurrentToken
from api.deps import AppSettings
from api.described_errors import responses
from api.idempotency import KEY_ERRORS, REPLAYED, UserKey
from api.json_body import read_json
from api.openapi import success
from api.user_schemas import NAMED_ID, NewToken, TokenCreated, TokenList, TokenView
from shared import db, errors

router = APIRouter(tags=["users"])

HINT = 'Send {"name": "a name for the token"}.'
BODY = {
    "requestBody": {
        "required": True,
        "description": "The token's name.",
        "content": {"application/json": {"schema": NewToken.model_json_schema()}},
    }
}


# The credentials come before the body, so that a refused request is not read.
async def _new_token(request: Request, settings: AppSettings, _: CurrentToken) -> NewToken:
    return await read_json(request, settings, NewToken, HINT)


@router.post(
    "/users/me/tokens",
    status_code=201,
    openapi_extra=BODY,
    responses={
        **responses(
            *KEY_ERRORS,
            errors.BadCredentials,
            errors.TooManyBadCredentials,
            errors.TooManyTokens,
            errors.UploadTooLarge,
            errors.UploadTimeout,
            errors.NotJson,
        ),
        **success(201, "The token was created.", "Idempotency-Replayed"),
    },
)
def create_token(
    response: Response,
    current: CurrentToken,
    new_token: Annotated[NewToken, Depends(_new_token)],
    key: UserKey,
) -> TokenCreated:
    """Create another token of this user. Store it: the service cannot show it again."""
    with db.transaction() as session:
        earlier = key.take(session, new_token.model_dump())
        if earlier is not None and earlier.answer is not None:
            response.headers.update(REPLAYED)
            return TokenCreated(**earlier.answer, token=key.secret())
        secret = key.secret()
        token = db.tokens.create(session, current.user_id, new_token.name, secret)
        key.store_answer(session, {"id": str(token.id), "name": token.name})
    return TokenCreated(id=token.id, name=token.name, token=secret)


@router.get(
    "/users/me/tokens",
    responses={
        **responses(errors.BadCredentials, errors.TooManyBadCredentials),
        **success(200, "The user's tokens."),
    },
)
def list_tokens(current: CurrentToken) -> TokenList:
    """List the user's tokens, oldest first, without their secrets."""
    with db.transaction() as session:
        tokens = db.tokens.of_user(session, current.user_id)
    return TokenList(
        tokens=[
            TokenView(
                id=token.id,
                name=token.name,
                created_at=token.created_at,
                last_used_on=token.last_used_on,
                is_current=token.id == current.token_id,
            )
            for token in tokens
        ]
    )


@router.delete(
    "/users/me/tokens/{token_id}",
    status_code=204,
    response_class=Response,
    responses={
        **responses(
            errors.BadCredentials,
            errors.TooManyBadCredentials,
            errors.TokenNotFound,
            errors.LastToken,
        ),
        **success(204, "The token was revoked."),
    },
)
def revoke_token(
    token_id: Annotated[
        UUID, Path(description="The token's id, from the list of tokens.", examples=[NAMED_ID])
    ],
    current: CurrentToken,
) -> None:
    """Revoke a token. The service refuses it from now on; requests that it began are finished.

    A user's only token cannot be revoked, because without a token nobody could reach the records.
    """
    with db.transaction() as session:
        db.tokens.revoke(session, current.user_id, token_id)
