"""The secrets that sign a user's deliveries. After a rotation the old one signs too, for a day."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import case, func, select, update
from sqlalchemy.orm import Session

from shared.db.models import User
from shared.db.records import from_now

OLD_SECRET_S = 24 * 3600


def rotate(session: Session, user_id: UUID, secret: bytes) -> datetime | None:
    """Give a user a new secret. Return the time until which the old secret signs too, or None without an old one."""
    until = case((User.webhook_secret.is_not(None), from_now(OLD_SECRET_S)))
    return session.scalar(
        update(User)
        .where(User.id == user_id)
        .values(
            webhook_secret=secret,
            old_webhook_secret=User.webhook_secret,
            old_webhook_secret_until=until,
        )
        .returning(User.old_webhook_secret_until)
        .execution_options(synchronize_session=False)
    )


def exists(session: Session, user_id: UUID) -> bool:
    secret = select(User.webhook_secret).where(User.id == user_id)
    return session.scalar(secret) is not None


def valid(session: Session, user_id: UUID) -> list[bytes]:
    """Return the secrets that sign now, the newest first."""
    old = case((User.old_webhook_secret_until > func.now(), User.old_webhook_secret))
    found = session.execute(select(User.webhook_secret, old).where(User.id == user_id)).one()
    return [secret for secret in found if secret is not None]
