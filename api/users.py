"""Users. An upload needs the id and a token of a user. The operator may close the registration of new users."""

import hmac
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request, Response

from api import rate_limits
from api.authentication import CurrentUser, bearer_token
from api.deps import AppSettings
from api.described_errors import responses
from api.idempotency import KEY_ERRORS, REPLAYED, AddressKey
from api.json_body import read_json
from api.openapi import success
from api.user_schemas import NewUser, UserCreated, UserView
from shared import db, errors
from shared.db import User
from shared.settings import Settings

router = APIRouter(tags=["users"])

HINT = 'Send {"name": "your name"}.'
BODY = {
    "requestBody": {
        "required": True,
        "description": "The user's name.",
        "content": {"application/json": {"schema": NewUser.model_json_schema()}},
    }
}


def _admit(
    request: Request,
    settings: AppSettings,
    # Described by ADMIN_SCHEMES (`api/openapi.py`).
    admin_token: Annotated[
        str | None, Header(alias="X-Admin-Token", include_in_schema=False)
    ] = None,
    authorization: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> bool:
    """Return whether the operator sent the request. Raises RegistrationClosed, TooManyBadCredentials."""
    sent = admin_token or bearer_token(authorization)
    is_operator = _is_admin_token(sent, settings)
    if settings.registration == "closed" and not is_operator:
        if sent:
            rate_limits.count_bad_credentials(request)
        raise errors.RegistrationClosed
    return is_operator


def _is_admin_token(sent: str, settings: Settings) -> bool:
    if settings.admin_token is None:
        return False
    # Compare hashes, which have one length, so that the response time does not show the length of the token.
    pair = (sent, settings.admin_token.get_secret_value())
    return hmac.compare_digest(*map(db.tokens.hash_secret, pair))


# The check comes before the body, so that a refused request is not read.
IsOperator = Annotated[bool, Depends(_admit)]


async def _new_user(request: Request, settings: AppSettings, _: IsOperator) -> NewUser:
    return await read_json(request, settings, NewUser, HINT)


@router.post(
    "/users",
    status_code=201,
    openapi_extra=BODY,
    responses={
        **responses(
            *KEY_ERRORS,
            errors.RegistrationClosed,
            errors.UploadTooLarge,
            errors.UploadTimeout,
            errors.NotJson,
            errors.TooManyNewUsers,
            errors.TooManyBadCredentials,
        ),
        **success(201, "The user was created.", "Idempotency-Replayed"),
    },
)
def create_user(
    request: Request,
    response: Response,
    is_operator: IsOperator,
    new_user: Annotated[NewUser, Depends(_new_user)],
    key: AddressKey,
) -> UserCreated:
    """Create a user. Store the token: the service keeps only its hash and cannot show it again.

    If the operator has closed the registration, this needs the operator's token. With a repeated Idempotency-Key, the
    answer has the user's token again, so keep the key as secret as the token.
    """
    with db.transaction() as session:
        earlier = key.take(session, new_user.model_dump())
        if earlier is not None and earlier.answer is not None:
            response.headers.update(REPLAYED)
            return UserCreated(id=earlier.answer["id"], token=key.secret())
        if not is_operator:
            rate_limits.count_new_user(request)
        user = User(name=new_user.name)
        session.add(user)
        session.flush()
        secret = key.secret()
        db.tokens.create(session, user.id, db.tokens.FIRST_NAME, secret)
        key.store_answer(session, {"id": str(user.id)})
    return UserCreated(id=user.id, token=secret)


@router.get(
    "/users/me",
    responses={
        **responses(errors.BadCredentials, errors.TooManyBadCredentials),
        **success(200, "The token's user."),
    },
)
def get_user(user_id: CurrentUser, settings: AppSettings) -> UserView:
    """Show the token's user, the limits that apply, and how much of each is used."""
    with db.transaction() as session:
        user = session.get_one(User, user_id)
        usage = db.quotas.usage(session, user_id)
    return UserView(
        id=user.id,
        name=user.name,
        created_at=user.created_at,
        stored_bytes=usage.stored_bytes,
        max_stored_bytes=settings.max_stored_bytes,
        pending_records=usage.pending_records,
        max_pending_records=settings.max_pending_records,
        max_upload_bytes=settings.max_upload_bytes,
        max_duration_s=settings.max_duration_s,
        max_mp3_bytes=settings.max_mp3_bytes,
        retention_h=settings.retention_h,
        link_ttl_s=settings.link_ttl_s,
    )
