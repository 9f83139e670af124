"""Limits of pending records and stored bytes, of one user and of all, also in races."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import UUID

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session

from shared import db
from shared.errors import (
    ServiceStorageBusy,
    ServiceStorageFull,
    TooManyPending,
    TooManyPendingInAll,
    UserStorageBusy,
    UserStorageFull,
    Wav2mp3Error,
)
from shared.mp3_options import PADDING_BYTES, Options
from shared.settings import Settings, get_settings
from tests.shared.db import rows
from tests.shared.db.rows import db_call
from tests.waiting import WITHIN_S

pytestmark = pytest.mark.usefixtures("database")

RACING = 20
LIMIT = 5
SOURCE_BYTES = 4 * rows.SAMPLES
MP3_BYTES = 10


def limited(**limits: int) -> Settings:
    return get_settings().model_copy(update=limits)


def reserve(
    session: Session, user_id: UUID, name: str, settings: Settings, announced_bytes: int = 0
) -> UUID:
    return db.uploads.reserve(
        session, user_id, name, Options(), {}, settings, announced_bytes=announced_bytes
    )


def accept(session: Session, user_id: UUID, record_id: UUID, settings: Settings) -> None:
    db.quotas.lock_stored(session, user_id, settings)
    assert rows.accept(session, record_id)
    db.quotas.check_stored(session, user_id, settings)


def race(attempt: Callable[[Session, int], object], refusal: type[Wav2mp3Error]) -> int:
    """Run an attempt in transactions that begin at once. Return the number of accepted attempts."""
    barrier = Barrier(RACING)

    def is_allowed(number: int) -> bool:
        barrier.wait(WITHIN_S)
        try:
            db_call(attempt, number)
        except refusal:
            return False
        return True

    with ThreadPoolExecutor(RACING) as threads:
        return sum(threads.map(is_allowed, range(RACING)))


def test_finished_records_are_not_pending() -> None:
    user_id, settings = rows.add_user(), limited(max_pending_records=2)
    first, second = (db_call(reserve, user_id, name, settings) for name in "ab")
    db_call(rows.accept, first)
    with pytest.raises(TooManyPending):
        db_call(reserve, user_id, "c", settings)
    db_call(rows.fail, first)
    db_call(rows.accept, second)
    db_call(reserve, user_id, "c", settings)
    with pytest.raises(TooManyPending):
        db_call(reserve, user_id, "d", settings)


def test_racing_uploads_keep_the_users_limit() -> None:
    user_id, settings = rows.add_user(), limited(max_pending_records=LIMIT)
    allowed = race(lambda session, n: reserve(session, user_id, f"{n}", settings), TooManyPending)
    assert allowed == LIMIT


def test_racing_users_keep_the_limit_of_all() -> None:
    user_ids = [rows.add_user() for _ in range(RACING)]
    settings = limited(max_pending_records_in_all=LIMIT)
    allowed = race(
        lambda session, n: reserve(session, user_ids[n], "a", settings), TooManyPendingInAll
    )
    assert allowed == LIMIT


def test_users_do_not_wait_for_each_other() -> None:
    settings = limited(max_stored_bytes=1)
    with db.transaction() as session:
        reserve(session, rows.add_user(), "a", settings)
        other = rows.start(lambda second: reserve(second, rows.add_user(), "a", settings))
        other.result(WITHIN_S)


def test_an_announced_source_counts_as_stored() -> None:
    user_id, settings = rows.add_user(), limited(max_stored_bytes=100)
    db_call(reserve, user_id, "a", settings, 60)
    with pytest.raises(UserStorageFull):
        db_call(reserve, user_id, "b", settings, 41)
    db_call(reserve, user_id, "c", settings, 40)


@pytest.mark.parametrize(
    ("limit", "busy", "full"),
    [
        ("max_stored_bytes", UserStorageBusy, UserStorageFull),
        ("max_stored_bytes_in_all", ServiceStorageBusy, ServiceStorageFull),
    ],
)
def test_unfinished_records_make_room_later(
    limit: str, busy: type[Wav2mp3Error], full: type[Wav2mp3Error]
) -> None:
    user_id, settings = rows.add_user(), limited(**{limit: 100})
    db_call(reserve, user_id, "a", settings, 60)
    with pytest.raises(busy):
        db_call(reserve, user_id, "b", settings, 41)
    with pytest.raises(busy):
        db_call(db.quotas.check_stored, user_id, settings, 100)
    # These would not fit without the other record either.
    for too_many in (
        lambda: db_call(reserve, user_id, "b", settings, 101),
        lambda: db_call(db.quotas.check_stored, user_id, settings, 101),
    ):
        with pytest.raises(full) as refused:
            too_many()
        assert type(refused.value) is full


def test_a_full_quota_names_its_use() -> None:
    user_id, settings = rows.add_user(), limited(max_stored_bytes=1_500_000)
    db_call(reserve, user_id, "a", settings, 900_000)
    with pytest.raises(UserStorageBusy, match=r"Your records use 900\.0 kB of 1\.5 MB\.$"):
        db_call(reserve, user_id, "b", settings, 600_001)


@pytest.mark.parametrize("announced_bytes", [0, SOURCE_BYTES])
def test_racing_uploads_keep_the_users_storage(announced_bytes: int) -> None:
    user_id, settings = rows.add_user(), limited(max_stored_bytes=LIMIT * SOURCE_BYTES)

    def attempt(session: Session, number: int) -> None:
        with db.transaction() as first:
            record_id = reserve(first, user_id, f"{number}", settings, announced_bytes)
        accept(session, user_id, record_id, settings)

    assert race(attempt, UserStorageFull) == LIMIT


def test_racing_users_keep_the_storage_of_all() -> None:
    record_ids = [db_call(rows.reserve, rows.add_user()) for _ in range(RACING)]
    settings = limited(max_stored_bytes_in_all=LIMIT * SOURCE_BYTES)

    def attempt(session: Session, number: int) -> None:
        user_id = rows.record(record_ids[number]).user_id
        accept(session, user_id, record_ids[number], settings)

    assert race(attempt, ServiceStorageFull) == LIMIT


def test_an_expected_mp3_counts_as_stored() -> None:
    """It is larger than its source if that has a low sample rate."""
    user_id, settings = rows.add_user(), limited(max_stored_bytes=10 * SOURCE_BYTES)
    record_id = db_call(reserve, user_id, "a", settings)
    with db.transaction() as session:
        assert rows.accept(session, record_id)
        session.get_one(db.Record, record_id).reserved_bytes = 2 * (SOURCE_BYTES + PADDING_BYTES)
        db.quotas.check_stored(session, user_id, settings, 9 * SOURCE_BYTES)
        session.get_one(db.Record, record_id).reserved_bytes += 4 * SOURCE_BYTES
        with pytest.raises(UserStorageFull):
            db.quotas.check_stored(session, user_id, settings, 8 * SOURCE_BYTES)
        db.quotas.check_stored(session, user_id, settings, 7 * SOURCE_BYTES)


def test_a_done_record_counts_its_mp3_only() -> None:
    user_id = rows.record(rows.add_done()).user_id
    settings = limited(max_stored_bytes=100)
    db_call(db.quotas.check_stored, user_id, settings, 100 - MP3_BYTES)
    with pytest.raises(UserStorageFull):
        db_call(db.quotas.check_stored, user_id, settings, 101 - MP3_BYTES)


def test_a_failed_record_counts_its_source_until_deleted() -> None:
    record_id, _ = rows.add_record()
    db_call(rows.fail, record_id)
    user_id, settings = rows.record(record_id).user_id, limited(max_stored_bytes=SOURCE_BYTES - 1)
    with pytest.raises(UserStorageFull):
        db_call(db.quotas.check_stored, user_id, settings)
    db_call(db.records.mark_gone, record_id, db.RecordStatus.DELETED)
    db_call(db.quotas.check_stored, user_id, settings)


def test_unset_storage_limits_cost_no_query() -> None:
    user_id = rows.add_user()
    statements: list[str] = []
    event.listen(
        db.get_engine(), "before_cursor_execute", lambda *arguments: statements.append(arguments[2])
    )
    with db.transaction() as session:
        db.quotas.lock_stored(session, user_id, get_settings())
        db.quotas.check_stored(session, user_id, get_settings())
    assert statements == []
