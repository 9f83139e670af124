"""A worker notices that it lost its lease."""

import time
from collections.abc import Callable
from threading import Event

import pytest
from sqlalchemy import create_engine, select
from sqlalchemy.exc import OperationalError

from shared.errors import LeaseLost
from tests.waiting import WITHIN_S
from worker.lease import RENEW_EVERY_S, Lease

SOON_S = RENEW_EVERY_S + 1
LEASE_S = 3.0
"""beyond the first renewal; a busy machine may delay a thread"""


def _lost_within(seconds: float, lease: Lease) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            lease.check()
        except LeaseLost:
            return True
        time.sleep(0.01)
    return False


def test_a_renewed_lease_does_not_expire() -> None:
    renewed = Event()

    def renew() -> bool:
        renewed.set()
        return True

    with Lease(renew, RENEW_EVERY_S + LEASE_S) as lease:
        assert renewed.wait(WITHIN_S)
        assert not _lost_within(LEASE_S + RENEW_EVERY_S, lease)


def test_a_refused_renewal_loses_the_lease() -> None:
    with Lease(lambda: False, lease_s=60) as lease:
        lease.check()
        assert _lost_within(WITHIN_S, lease)


def _cannot_connect() -> bool:
    engine = create_engine("postgresql+psycopg2://nobody@/none?host=/nonexistent")
    with engine.connect() as connection:
        return bool(connection.scalar(select(1)))


def _hangs() -> bool:
    time.sleep(SOON_S + LEASE_S)
    return True


@pytest.mark.exhaustive
@pytest.mark.parametrize("renew", [_cannot_connect, _hangs])
def test_a_long_database_outage_loses_the_lease(
    renew: Callable[[], bool],
) -> None:
    with Lease(renew, RENEW_EVERY_S + LEASE_S) as lease:
        assert not _lost_within(RENEW_EVERY_S, lease)
        assert _lost_within(WITHIN_S, lease)


def test_a_short_database_outage_keeps_the_lease() -> None:
    answered = Event()
    outages = iter([OperationalError("SELECT 1", {}, OSError()), None])

    def renew() -> bool:
        if error := next(outages, None):
            raise error
        answered.set()
        return True

    with Lease(renew, LEASE_S + 2 * RENEW_EVERY_S) as lease:
        assert answered.wait(WITHIN_S)
        assert not _lost_within(0.1, lease)


def test_a_lease_is_not_renewed_after_its_work() -> None:
    with Lease(lambda: True, lease_s=60) as lease:
        assert lease._thread.is_alive()
    assert not lease._thread.is_alive()
