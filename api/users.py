"""Users. Uploads need the id and token of one."""

import secrets
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from api import rate_limits
from api.deps import AppSettings, DbSession, body_limits, hash_token
from api.http import body_chunks
from api.problems import responses
from api.schemas import NewUser, UserCreated
from shared import errors
from shared.db import User

router = APIRouter(tags=["users"])

MAX_BODY_BYTES = 16 * 2**10
BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": NewUser.model_json_schema()}},
    }
}


async def _new_user(request: Request, settings: AppSettings) -> NewUser:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise errors.NotJson
    # Read in chunks up to a limit, because FastAPI would hold a body of any size in memory.
    body = bytearray()
    async for chunk in body_chunks(request, body_limits(settings)):
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise errors.UploadTooLarge('The body is too large. Send {"name": "your name"}.')
    try:
        return NewUser.model_validate_json(bytes(body))
    except ValidationError as error:
        if error.errors()[0]["type"] == "json_invalid":
            raise errors.BadRequest(
                f'The body is not valid JSON: {error.errors()[0]["ctx"]["error"]}. Send {{"name": "your name"}}.'
            ) from error
        raise RequestValidationError(error.errors()) from error


@router.post(
    "/users",
    status_code=201,
    openapi_extra=BODY,
    responses=responses(
        errors.UploadTooLarge, errors.UploadTimeout, errors.NotJson, errors.TooManyNewUsers
    ),
)
def create_user(
    request: Request, new_user: Annotated[NewUser, Depends(_new_user)], session: DbSession
) -> UserCreated:
    """Create a user. Store the token: the service keeps only its hash and cannot show it again."""
    rate_limits.count_new_user(request)
    token = secrets.token_urlsafe(32)
    user = User(name=new_user.name, token_hash=hash_token(token))
    session.add(user)
    session.flush()
    return UserCreated(id=user.id, token=token)
