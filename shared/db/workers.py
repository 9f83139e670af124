"""Who is alive: each worker reports itself every `HEARTBEAT_S`, and is dead when it has not for `DEAD_AFTER_S`."""

from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.db.models import Worker

HEARTBEAT_S = 5
DEAD_AFTER_S = 20
FORGET_AFTER_S = 3600


def report_alive(session: Session, name: str, role: str, encoder: str | None = None) -> None:  # noqa: ARG001
    row = insert(Worker).values(name=name)
    session.execute(
        row.on_conflict_do_update(index_elements=["name"], set_={"seen_at": func.now()})
    )


def alive(session: Session, role: str) -> list[str]:
    dead = func.now() - timedelta(seconds=DEAD_AFTER_S)
    is_alive = (Worker.seen_at > dead, Worker.name.startswith(f"{role}@"))
    return list(session.scalars(select(Worker.name).where(*is_alive)))


def seconds_since_seen(session: Session, role: str) -> float | None:
    newest = func.max(Worker.seen_at)
    is_of_role = Worker.name.startswith(f"{role}@")
    seconds = session.scalar(select(func.extract("epoch", func.now() - newest)).where(is_of_role))
    return None if seconds is None else float(seconds)


def forget(session: Session, name: str) -> None:
    session.execute(delete(Worker).where(Worker.name == name))


def forget_dead(session: Session) -> None:
    long_dead = func.now() - timedelta(seconds=FORGET_AFTER_S)
    session.execute(delete(Worker).where(Worker.seen_at < long_dead))
