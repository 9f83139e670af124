"""Which processes are alive. Each reports itself every `HEARTBEAT_S`, and counts as dead after `DEAD_AFTER_S`."""

from datetime import timedelta

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.db.models import Worker

HEARTBEAT_S = 5
DEAD_AFTER_S = 20
REMOVE_AFTER_S = 3600


def report_alive(session: Session, name: str, role: str, encoder: str | None = None) -> None:
    row = insert(Worker).values(name=name, role=role, encoder=encoder)
    seen = {"role": role, "encoder": encoder, "seen_at": func.now(), "stopped_at": None}
    session.execute(row.on_conflict_do_update(index_elements=["name"], set_=seen))


def report_stopped(session: Session, name: str) -> None:
    session.execute(update(Worker).where(Worker.name == name).values(stopped_at=func.now()))


def alive(session: Session, role: str) -> list[str]:
    """Return the names of the processes of this role that are alive."""
    names = select(Worker.name).where(
        Worker.role == role, seen_within(DEAD_AFTER_S), Worker.stopped_at.is_(None)
    )
    return list(session.scalars(names))


def seen_within(seconds: float) -> ColumnElement[bool]:
    """Return the condition on a worker. A time far in the future means that the database's clock was set back."""
    span = timedelta(seconds=seconds)
    return Worker.seen_at.between(func.now() - span, func.now() + span)


def seconds_since_seen(session: Session, role: str) -> float | None:
    """Return the seconds since any process of this role reported itself, or None if none ever did."""
    newest = func.max(Worker.seen_at)
    seconds = session.scalar(
        select(func.extract("epoch", func.now() - newest)).where(Worker.role == role)
    )
    return None if seconds is None else float(seconds)


def remove_dead(session: Session) -> None:
    long_dead = func.now() - timedelta(seconds=REMOVE_AFTER_S)
    session.execute(delete(Worker).where(Worker.seen_at < long_dead))
