"""The secret that signs a user's webhooks, and the description of the events for OpenAPI."""

from base64 import b64encode
from typing import Annotated, Any

from fastapi import APIRouter, Header, Response

from api.authentication import CurrentUser
from api.described_errors import responses
from api.idempotency import KEY_ERRORS, REPLAYED, UserKey
from api.openapi import success
from api.schemas import RecordEvent
from api.user_schemas import WebhookSecret
from shared import db, errors

router = APIRouter(tags=["users"])
events = APIRouter(tags=["webhooks"], generate_unique_id_function=lambda route: route.name)


@router.post(
    "/users/me/webhook-secret",
    status_code=201,
    responses={
        **responses(*KEY_ERRORS, errors.BadCredentials, errors.TooManyBadCredentials),
        **success(201, "The new secret signs your events.", "Idempotency-Replayed"),
    },
)
def create_webhook_secret(response: Response, user_id: CurrentUser, key: UserKey) -> WebhookSecret:
    """Create the secret that signs your webhooks, or replace it. For 24 h the previous secret signs too."""
    with db.transaction() as session:
        earlier = key.take(session, {})
        secret = bytes.fromhex(key.secret())  # 32 bytes; the standard allows 24 to 64
        shown = f"whsec_{b64encode(secret).decode()}"
        if earlier is not None and earlier.answer is not None:
            response.headers.update(REPLAYED)
            return WebhookSecret(secret=shown, **earlier.answer)
        until = db.webhook_secrets.rotate(session, user_id, secret)
        key.store_answer(session, {"previous_valid_until": until and until.isoformat()})
    return WebhookSecret(secret=shown, previous_valid_until=until)


WebhookId = Annotated[
    str,
    Header(
        description="Id of the event, the same in each attempt. Ignore an event that you have already received.",
        examples=["msg_6f1c2a9e0b7d4c3f8a5e1d2b3c4d5e6f"],
    ),
]
WebhookTimestamp = Annotated[
    int, Header(description="Time of the attempt, in Unix seconds.", examples=[1764338400])
]
WebhookSignature = Annotated[
    str,
    Header(
        description="`v1,` and the base64 of an HMAC-SHA256 over id, timestamp and body, as Standard Webhooks says. "
        "For 24 h after the secret was replaced, a space and a second signature follow.",
        examples=["v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="],
    ),
]
ANSWERS: dict[int | str, dict[str, Any]] = {
    204: {"description": "Any 2xx answer means that you have received the event."},
    410: {"description": "You want no more attempts for this event."},
    "4XX": {"description": "Any other answer, redirects included: the service tries again later."},
}


def _event(name: str, summary: str) -> None:
    def describe(
        event: RecordEvent,
        webhook_id: WebhookId,
        webhook_timestamp: WebhookTimestamp,
        webhook_signature: WebhookSignature,
    ) -> None:
        """Describe the request for OpenAPI, which shows this signature. Nothing calls it."""

    events.add_api_route(
        name,
        describe,
        methods=["POST"],
        name=name.replace(".", "_"),
        summary=summary,
        description=DESCRIPTION,
        status_code=204,
        responses=ANSWERS,
        # openapi-generator would make calls to this service of them, and its typescript-fetch client does not compile.
        openapi_extra={"x-internal": True},
    )


DESCRIPTION = (
    "Posted to the record's `callback_url`, signed with your secret. Verify it with any library of "
    "standardwebhooks.com. Answer 2xx within `WEBHOOK_TIMEOUT_S` (by default 15 s). Otherwise the service tries again, "
    "with growing pauses, for about a day."
)

_event("record.done", "The MP3 is ready")
_event("record.failed", "The record has failed")
_event("record.expired", "The record has expired, and its files are deleted")
