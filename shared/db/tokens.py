"""The tokens of users. Functions do not commit.

A user always has at least one token: without any, nobody could reach the records.
"""

import hashlib
from collections.abc import Sequence
from datetime import date
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Date, bindparam, cast, func, select, update
from sqlalchemy.orm import Session

from shared.db.locks import lock_user
from shared.db.models import Token
from shared.errors import LastToken, TokenNotFound, TooManyTokens

FIRST_NAME = "first"
"""The name of the token that POST /users returns."""
MAX_TOKENS = 100
TODAY = cast(func.now(), Date)


_OF_SECRET = select(Token.user_id, Token.id, Token.last_used_on, TODAY).where(
    Token.token_hash == bindparam("token_hash")
)


class Identity(NamedTuple):
    """The user of a request, and the token that proves it."""

    user_id: UUID
    token_id: UUID


def create(session: Session, user_id: UUID, name: str, secret: str) -> Token:
    """Add a token. Its secret is not stored. Raises TooManyTokens."""
    if len(_lock_all(session, user_id)) >= MAX_TOKENS:
        raise TooManyTokens
    token = Token(user_id=user_id, name=name, token_hash=hash_secret(secret))
    session.add(token)
    session.flush()
    return token


def hash_secret(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def identify(session: Session, secret: str) -> Identity | None:
    """Return the identity that a secret proves, and note the day of its use."""
    found = session.execute(_OF_SECRET, {"token_hash": hash_secret(secret)}).one_or_none()
    if found is None:
        return None
    user_id, token_id, last_used_on, today = found
    if last_used_on != today:
        _note_use(session, token_id, today)
    return Identity(user_id, token_id)


def _note_use(session: Session, token_id: UUID, today: date) -> None:
    """Write once a day, and not for each of the requests that come at the same time."""
    session.execute(
        update(Token)
        .where(Token.id == token_id, Token.last_used_on.is_distinct_from(today))
        .values(last_used_on=today)
    )


def of_user(session: Session, user_id: UUID) -> Sequence[Token]:
    """Return the user's tokens, oldest first."""
    tokens = select(Token).where(Token.user_id == user_id)
    return session.scalars(tokens.order_by(Token.created_at, Token.id)).all()


def revoke(session: Session, user_id: UUID, token_id: UUID) -> None:
    """Delete a token. Raises TokenNotFound, LastToken."""
    tokens = {token.id: token for token in _lock_all(session, user_id)}
    if token_id not in tokens:
        raise TokenNotFound
    if len(tokens) == 1:
        raise LastToken
    session.delete(tokens[token_id])


def _lock_all(session: Session, user_id: UUID) -> Sequence[Token]:
    """Return the user's tokens. Until this transaction ends, no other one adds or revokes a token of the user."""
    lock_user(session, user_id)
    return of_user(session, user_id)
