"""CORS: web pages of the origins that the operator names may call the API. They send tokens, never cookies."""

from collections.abc import Sequence
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from api.schemas import Problem

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
EXPOSED_HEADERS = (
    "Accept-Ranges",
    "Allow",
    "Content-Disposition",
    "Content-Range",
    "ETag",
    "Idempotency-Replayed",
    "Location",
    "Preference-Applied",
    "Retry-After",
    "WWW-Authenticate",
)
"""The headers that scripts may read, in addition to the headers that CORS always allows."""
PREFLIGHT_VALID_S = 7200
"""The longest time for which any browser keeps the answer to a preflight."""


class CrossOrigin(CORSMiddleware):
    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=METHODS,
            # A script must know a token to read anything, so no header is dangerous.
            allow_headers=("*",),
            allow_private_network=True,
            expose_headers=EXPOSED_HEADERS,
            max_age=PREFLIGHT_VALID_S,
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        answer = super().preflight_response(request_headers)
        if answer.status_code == HTTPStatus.OK:
            return answer
        problem = Problem(
            title=HTTPStatus.FORBIDDEN.phrase,
            status=HTTPStatus.FORBIDDEN,
            code="origin_not_allowed",
            detail="Web pages of this origin may not send this request. The operator sets the origins in CORS_ORIGINS.",
        )
        return JSONResponse(
            problem.model_dump(mode="json"),
            HTTPStatus.FORBIDDEN,
            {"Vary": answer.headers["Vary"]},
            media_type="application/problem+json",
        )


def refusal_headers(origins: Sequence[str]) -> dict[str, str]:
    """Return the headers of an answer to a request whose origin is unknown: a single allowed origin is named."""
    if len(origins) != 1:
        return {}
    return {
        "access-control-allow-origin": origins[0],
        "access-control-expose-headers": "Retry-After",
    }
