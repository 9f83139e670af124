"""Rows in every state, made by the functions under test, and two transactions that meet."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from shared import db
from shared.db import Job, JobKind, Record, User
from shared.db.claims import Claim
from shared.errors import EncodeFailed
from shared.mp3_options import Options, Target
from shared.queue import CLIPS, RETRY_QUEUE, SEGMENTS
from shared.segmentation import SampleRange
from shared.settings import get_settings
from tests.waiting import WITHIN_S

T = TypeVar("T")
U = TypeVar("U")

SAMPLES = 1000
"""Of each segment."""
IN_FLIGHT = 2
ENCODER = "LAME on this machine"
TARGET = Target(sample_rate_hz=44100, channels=1, quality=2, bitrate_kbps=None)
MAX_ATTEMPTS = 2


def add_user() -> UUID:
    with db.transaction() as session:
        user = User(name="alexander")
        session.add(user)
        session.flush()
        return user.id


def reserve(session: Session, user_id: UUID, filename: str = "a.wav") -> UUID:
    return db.uploads.reserve(session, user_id, filename, Options(quality=2), {}, get_settings())


def accept(session: Session, record_id: UUID, count: int = 1, queue: str = SEGMENTS) -> list[int]:
    """Accept a record with `count` encode jobs. Return their ids in order, or none if the record is gone."""
    accepted = db.records.accept(
        session,
        record_id,
        source_bytes=4 * SAMPLES,
        duration_s=1.0,
        target=TARGET,
        reserved_bytes=0,
        warnings=[],
    )
    if not accepted:
        return []
    db.jobs.create(
        session,
        record_id,
        session.get_one(Record, record_id).user_id,
        [SampleRange(index * SAMPLES, SAMPLES) for index in range(count)],
        queue=queue,
        assemble_queue=RETRY_QUEUE[CLIPS],
        in_flight=IN_FLIGHT,
    )
    return encode_jobs(session, record_id)


def encode_jobs(session: Session, record_id: UUID) -> list[int]:
    jobs = select(Job.id).where(Job.record_id == record_id, Job.kind == JobKind.ENCODE)
    return list(session.scalars(jobs.order_by(Job.index)))


def assemble_job(record_id: UUID) -> int:
    with db.transaction() as session:
        return session.scalars(
            select(Job.id).where(Job.record_id == record_id, Job.kind == JobKind.ASSEMBLE)
        ).one()


def add_record(
    count: int = 1, *, user_id: UUID | None = None, filename: str = "a.wav", queue: str = SEGMENTS
) -> tuple[UUID, list[int]]:
    """Add a queued record. Return its id and those of its encode jobs."""
    with db.transaction() as session:
        record_id = reserve(session, user_id or add_user(), filename)
        return record_id, accept(session, record_id, count, queue)


def claim(job_id: int, *, encoder: str = ENCODER) -> Claim:
    claimed = db_call(try_claim, job_id, encoder)
    assert claimed is not None
    return claimed


def try_claim(session: Session, job_id: int, encoder: str = ENCODER) -> Claim | None:
    return db.claims.claim(session, job_id, encoder=encoder, max_attempts=MAX_ATTEMPTS)


def expire_leases() -> list[int]:
    """Requeue every running job, as the sweeper does when no lease was renewed."""
    with db.transaction() as session:
        return db.sweeping.requeue_expired(session, db.sweeping.leases(session), RETRY_QUEUE)


def finish(session: Session, held: Claim) -> bool:
    """Finish an encode job, and release the job that follows, as a worker does."""
    finished = db.jobs.finish_encode(session, held, samples=SAMPLES)
    if finished:
        db.jobs.release_next(session, held.record_id)
    return finished


def renew(session: Session, held: Claim) -> bool:
    return db.jobs.renew(session, held)


def add_encoded(count: int = 1) -> UUID:
    """Add a record whose encode jobs are all done."""
    record_id, job_ids = add_record(count)
    for job_id in job_ids:
        assert db_call(finish, claim(job_id))
    return record_id


def claim_assembly(record_id: UUID) -> Claim:
    return claim(assemble_job(record_id))


def complete(
    session: Session, held: Claim, retention_h: float | None = None, warnings: Sequence[str] = ()
) -> bool:
    return db.jobs.finish_assembly(
        session, held, mp3_bytes=10, duration_s=1.0, retention_h=retention_h, warnings=warnings
    )


def add_done(retention_h: float | None = None) -> UUID:
    record_id = add_encoded()
    assert db_call(complete, claim_assembly(record_id), retention_h)
    return record_id


def set_callback(record_id: UUID, url: str) -> None:
    """Give a record a callback URL, and its user a secret."""
    with db.transaction() as session:
        values = {"callback_url": url, "callback_base_url": "http://service.example"}
        session.execute(update(Record).where(Record.id == record_id).values(values))
        db.webhook_secrets.rotate(session, session.get_one(Record, record_id).user_id, b"secret")


def fail(session: Session, record_id: UUID, retention_h: float | None = None) -> bool:
    return db.records.fail(session, record_id, EncodeFailed(), retention_h=retention_h)


def retry(session: Session, record_id: UUID) -> bool:
    """Queue a failed record again, without jobs."""
    return db.records.retry(
        session,
        record_id,
        options=Options(quality=2),
        tags={},
        duration_s=1.0,
        target=TARGET,
        reserved_bytes=0,
        warnings=[],
    )


def record(record_id: UUID) -> Record:
    with db.transaction() as session:
        return session.get_one(Record, record_id)


def job(job_id: int) -> Job:
    with db.transaction() as session:
        return session.get_one(Job, job_id)


def db_call(function: Callable[..., T], *arguments: object) -> T:
    """Call a function in a separate transaction."""
    with db.transaction() as session:
        return function(session, *arguments)


def overlapped(first: Callable[[Session], T], second: Callable[[Session], U]) -> tuple[T, U]:
    """Return the results of two transactions. The second begins before the first commits."""
    with db.transaction() as session:
        one = first(session)
        two = start(second)
    return one, two.result(WITHIN_S)


def start(function: Callable[[Session], T]) -> Future[T]:
    """Begin another transaction, which runs until it waits for a lock or is done."""
    threads = ThreadPoolExecutor(1)
    begun = threads.submit(db_call, function)
    threads.shutdown(wait=False)
    deadline = time.monotonic() + WITHIN_S
    while not begun.done() and not db_call(_is_one_waiting):
        assert time.monotonic() < deadline
    return begun


def _is_one_waiting(session: Session) -> bool:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    return bool(session.scalar(text(waiting)))
