"""The header Idempotency-Key: a repeated request gets the answer of the first one, for 24 hours.

A key belongs to a user or, in a call without a user, to the client's address. Only a successful request keeps its key.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Header, Request
from sqlalchemy.orm import Session

from api.authentication import CurrentUser
from api.http import client_address, client_network
from shared import db, errors
from shared.db import IdempotencyKey

REPLAYED = {"Idempotency-Replayed": "true"}
KEY_ERRORS = (errors.RequestInProgress, errors.KeyReused)

SentKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x20-\x7e]+$",
        examples=["8e03978e-40d5-43e8-bc93-6894a57f9324"],
        description="Any text that is new for each request, such as a UUID. If you repeat the request with the same "
        "key within 24 hours, you get the answer of the first request again, with `Idempotency-Replayed: true`. A "
        "request that failed does not count.",
    ),
]


class Key:
    """The key of one request. A request without a key is always new."""

    def __init__(self, sent: str | None, key_owner: str, call: str) -> None:
        self._sent = sent
        self._call = call
        self._id = (key_owner, hashlib.sha256((sent or "").encode()).digest())
        self._salt = secrets.token_bytes(32)

    def take(self, session: Session, request: Mapping[str, Any]) -> IdempotencyKey | None:
        """Take the key for this request. Return None, or the key as an earlier request stored it.

        Raises KeyReused, RequestInProgress.
        """
        if self._sent is None:
            return None
        earlier = db.idempotency.take(session, self._id, self._fingerprint(request), self._salt)
        if earlier is not None:
            self._salt = earlier.salt
        return earlier

    def find(self, session: Session, request: Mapping[str, Any]) -> IdempotencyKey | None:
        """Return the key as an earlier request stored it, or None. Raises KeyReused, RequestInProgress."""
        if self._sent is None:
            return None
        return db.idempotency.find(session, self._id, self._fingerprint(request))

    def is_taken(self) -> bool:
        if self._sent is None:
            return False
        with db.transaction() as session:
            return db.idempotency.is_taken(session, self._id)

    def store(self, session: Session, *, record_id: UUID) -> None:
        """Store the record that the request created, in the transaction in which it took the key."""
        if self._sent is not None:
            db.idempotency.store(session, self._id, record_id=record_id)

    def store_answer(self, session: Session, answer: dict[str, Any]) -> None:
        """Store an answer without a record, in the transaction that took the key. It must contain no secret."""
        if self._sent is not None:
            db.idempotency.store(session, self._id, answer=answer)

    def secret(self) -> str:
        """Return a new token, or the token of the earlier request. It depends on the sent key, which is not stored.

        Hex digits: a token in base64 may begin with a hyphen, which commands take for an option.
        """
        return hmac.digest(self._salt, (self._sent or "").encode(), "sha256").hex()

    def _fingerprint(self, request: Mapping[str, Any]) -> bytes:
        described = json.dumps([self._call, request], sort_keys=True, default=str)
        return hashlib.sha256(described.encode()).digest()


def _key(request: Request, sent: str | None, key_owner: str) -> Key:
    if len(request.headers.getlist("idempotency-key")) > 1:
        raise errors.BadRequest("The request has two Idempotency-Keys. Send one.")
    return Key(sent, key_owner, f"{request.method} {request.url.path}")


async def _key_of_user(request: Request, user_id: CurrentUser, sent: SentKey = None) -> Key:
    return _key(request, sent, str(user_id))


async def _key_of_address(request: Request, sent: SentKey = None) -> Key:
    return _key(request, sent, client_network(client_address(request)))


UserKey = Annotated[Key, Depends(_key_of_user)]
AddressKey = Annotated[Key, Depends(_key_of_address)]
"""For a call without a user. Clients at one address could use the same key, so keys must be random."""
