"""Locks that several modules take, for the rest of a transaction."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.db.models import User


def lock_user(session: Session, user_id: UUID) -> None:
    # FOR NO KEY UPDATE, because new records hold a FOR KEY SHARE lock on their user.
    session.execute(select(User.id).where(User.id == user_id).with_for_update(key_share=True))
