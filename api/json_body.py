"""Reads a small JSON body."""

from typing import TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from api.deps import body_limits
from api.http import body_chunks
from shared import errors
from shared.settings import Settings

MAX_BODY_BYTES = 16 * 2**10

Model = TypeVar("Model", bound=BaseModel)


async def read_json(request: Request, settings: Settings, model: type[Model], hint: str) -> Model:
    """Read and validate the body. Raises NotJson, UploadTooLarge, BadRequest with `hint`, RequestValidationError."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise errors.NotJson
    # Read in chunks up to a limit, because FastAPI would hold a body of any size in memory.
    body = bytearray()
    async for chunk in body_chunks(request, body_limits(settings)):
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise errors.UploadTooLarge(f"The body is too large. {hint}")
    try:
        return model.model_validate_json(bytes(body))
    except ValidationError as error:
        if error.errors()[0]["type"] == "json_invalid":
            raise errors.BadRequest(
                f"The body is not valid JSON: {error.errors()[0]['ctx']['error']}. {hint}"
            ) from error
        raise RequestValidationError(error.errors()) from error
