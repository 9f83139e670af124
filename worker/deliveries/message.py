"""The message of a delivery: its body, which contains the record, and its signed headers."""

import json
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from standardwebhooks import Webhook

from shared import db
from shared.errors import NotAWav
from shared.links import LinksToRecords, link_signer
from shared.mp3_options import Options
from shared.public_record import TIMES, describe
from shared.settings import Settings

Claim = db.deliveries.DeliveryClaim

TAGS = ("title", "artist", "album", "track", "year", "genre", "comment")


NOT_UNPROCESSABLE = {NotAWav.code: (415, "Unsupported Media Type")}
"""The status and title of each reason of a failure that is not 422. The API has the same."""


def headers(claim: Claim, text: str) -> dict[str, str]:
    """Return the headers, with a signature by each of the user's secrets."""
    message_id = f"msg_{claim.id.hex}"
    now = datetime.now(UTC)
    signatures = [Webhook(secret).sign(message_id, now, text) for secret in claim.secrets]
    return {
        "content-type": "application/json",
        "user-agent": "wav2mp3",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def body(claim: Claim, settings: Settings) -> str:
    message = {
        "type": claim.event,
        "timestamp": _utc(claim.created_at),
        "data": _record(claim, settings),
    }
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"), default=str)


def _record(claim: Claim, settings: Settings) -> dict[str, Any]:
    """Return the record as `GET /records/{id}` shows it. An older release may have written the row."""
    row = claim.record
    ids = {name: UUID(row[name]) for name in ("id", "user_id")}
    times = {name: row[name] and _utc(datetime.fromisoformat(row[name])) for name in TIMES}
    base_url = str(settings.public_url or claim.base_url)
    links = LinksToRecords(base_url, link_signer(settings))
    return {
        **describe(row | ids | times, claim.progress, links),
        "queue_position": None,
        "waiting_for": None,
        "options": _options(row),
        "error": problem(row),
        "webhook": None,
    }


def _utc(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _options(row: dict[str, Any]) -> dict[str, Any]:
    names = (*TAGS, *(field.name for field in fields(Options)))
    sent = row["options"] | row["tags"]
    return {name: sent.get(name) for name in names}


def problem(row: dict[str, Any]) -> dict[str, Any] | None:
    """Return the reason of a failure as an RFC 9457 problem."""
    if row["error_code"] is None:
        return None
    other = (422, "Unprocessable Content")
    status, title = NOT_UNPROCESSABLE.get(row["error_code"], other)
    return {
        "type": "about:blank",
        "title": title,
        "status": status,
        "code": row["error_code"],
        "detail": row["error_detail"],
    }
