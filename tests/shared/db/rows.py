"""Rows in every state, made by the functions under test, and two transactions that meet."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar
from uuid import UUID, uuid4

from shared.db.assemblies import AssemblyClaim
from shared.db.segments import SegmentClaim
from sqlalchemy import text
from sqlalchemy.orm import Session

from shared import db
from shared.db import Record, Segment, User
from shared.errors import EncodeFailed
from shared.mp3_options import Options
from shared.queue import SEGMENTS
from shared.segmentation import SampleRange

T = TypeVar("T")
U = TypeVar("U")

LEASE_S = 60
OVER_S = -1
"""a lease that has run out"""
SAMPLES = 1000
"""of each segment"""
IN_FLIGHT = 2
MAX_ATTEMPTS = 2
WAIT_S = 10


def add_user() -> UUID:
    with db.transaction() as session:
        user = User(name="alexander", token_hash=uuid4().bytes)
        session.add(user)
        session.flush()
        return user.id


def reserve(
    session: Session, user_id: UUID, filename: str = "a.wav", *, lease_s: float = LEASE_S
) -> UUID:
    return db.records.reserve(
        session, user_id, filename, Options(quality=2), {}, max_pending=100, lease_s=lease_s
    )


def accept(session: Session, record_id: UUID, count: int = 1, queue: str = SEGMENTS) -> list[int]:
    return db.records.accept(
        session,
        record_id,
        source_bytes=4 * SAMPLES,
        duration_s=1.0,
        warnings=[],
        stretches=[SampleRange(index * SAMPLES, SAMPLES) for index in range(count)],
        queue=queue,
    )


def add_record(
    count: int = 1, *, user_id: UUID | None = None, filename: str = "a.wav", queue: str = SEGMENTS
) -> tuple[UUID, list[int]]:
    """A record that waits: its id and its segments'."""
    with db.transaction() as session:
        record_id = reserve(session, user_id or add_user(), filename)
        return record_id, accept(session, record_id, count, queue)


def claim(segment_id: int, *, lease_s: float = LEASE_S) -> SegmentClaim:
    claimed = db_call(try_claim, segment_id, lease_s)
    assert claimed is not None
    return claimed


def try_claim(session: Session, segment_id: int, lease_s: float = LEASE_S) -> SegmentClaim | None:
    return db.segments.claim(session, segment_id, max_attempts=MAX_ATTEMPTS, lease_s=lease_s)


def finish(session: Session, held: SegmentClaim) -> db.segments.Finished | None:
    return db.segments.finish(session, held, samples=SAMPLES, in_flight=IN_FLIGHT)


def renew(session: Session, held: SegmentClaim) -> bool:
    return db.segments.renew(session, held, encoded_samples=1, lease_s=LEASE_S)


def add_encoded(count: int = 1) -> UUID:
    """A record whose segments are all done."""
    record_id, segment_ids = add_record(count)
    for segment_id in segment_ids:
        assert db_call(finish, claim(segment_id)) is not None
    return record_id


def try_claim_assembly(
    session: Session, record_id: UUID, lease_s: float = LEASE_S
) -> AssemblyClaim | None:
    return db.assemblies.claim(session, record_id, max_attempts=MAX_ATTEMPTS, lease_s=lease_s)


def claim_assembly(record_id: UUID, *, lease_s: float = LEASE_S) -> AssemblyClaim:
    claimed = db_call(try_claim_assembly, record_id, lease_s)
    assert claimed is not None
    return claimed


def complete(session: Session, held: AssemblyClaim, retention_h: float | None = None) -> bool:
    return db.assemblies.complete(
        session, held, mp3_bytes=10, duration_s=1.0, retention_h=retention_h
    )


def add_done(retention_h: float | None = None) -> UUID:
    record_id = add_encoded()
    assert db_call(complete, claim_assembly(record_id), retention_h)
    return record_id


def fail(session: Session, record_id: UUID, retention_h: float | None = None) -> bool:
    return db.records.fail(session, record_id, EncodeFailed(), retention_h=retention_h)


def record(record_id: UUID) -> Record:
    with db.transaction() as session:
        return session.get_one(Record, record_id)


def segment(segment_id: int) -> Segment:
    with db.transaction() as session:
        return session.get_one(Segment, segment_id)


def db_call(function: Callable[..., T], *arguments: object) -> T:
    """The function, in a transaction of its own."""
    with db.transaction() as session:
        return function(session, *arguments)


def overlapped(first: Callable[[Session], T], second: Callable[[Session], U]) -> tuple[T, U]:
    """What two transactions give when the second begins before the first commits."""
    with db.transaction() as session:
        one = first(session)
        two = start(second)
    return one, two.result(WAIT_S)


def start(function: Callable[[Session], T]) -> Future[T]:
    """Begin another transaction, which runs until it waits for a lock or is done."""
    threads = ThreadPoolExecutor(1)
    begun = threads.submit(db_call, function)
    threads.shutdown(wait=False)
    deadline = time.monotonic() + WAIT_S
    while not begun.done() and not db_call(_is_one_waiting):
        assert time.monotonic() < deadline
    return begun


def _is_one_waiting(session: Session) -> bool:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    return bool(session.scalar(text(waiting)))
