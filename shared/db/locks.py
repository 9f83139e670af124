"""Locks that several modules take, for the rest of a transaction."""

from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from shared.db.models import User

# FOR NO KEY UPDATE, because new records hold a FOR KEY SHARE lock on their user.
_USER = select(User.id).where(User.id == bindparam("user_id")).with_for_update(key_share=True)


def lock_user(session: Session, user_id: UUID) -> None:
    session.execute(_USER, {"user_id": user_id})
