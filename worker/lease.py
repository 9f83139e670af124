"""Keeps the lease on a job while a worker runs it."""

import time
from collections.abc import Callable
from threading import Event, Thread
from types import TracebackType
from typing import Self

import structlog
from sqlalchemy.exc import SQLAlchemyError

from shared.errors import LeaseLost

RENEW_EVERY_S = 1.0

log = structlog.get_logger(__name__)


class Lease:
    """Renews a lease every second, in a thread, while the `with` block runs.

    `check` raises LeaseLost once the lease is lost. `renew` returns whether the lease was kept. If the database does
    not answer, the thread tries again until the lease of `lease_s` seconds must have expired.
    """

    def __init__(self, renew: Callable[[], bool], lease_s: float) -> None:
        self._renew = renew
        self._lease_s = lease_s
        self._renewed_at_s = time.monotonic()
        self._ended = Event()
        self._thread = Thread(target=self._renew_until_exit, daemon=True)
        self.lost = False

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def check(self) -> None:
        if self.lost or time.monotonic() - self._renewed_at_s > self._lease_s:
            raise LeaseLost

    def _renew_until_exit(self) -> None:
        while not self._ended.wait(RENEW_EVERY_S):
            sent_at_s = time.monotonic()
            try:
                self.lost = not self._renew()
            except SQLAlchemyError as error:
                log.warning("lease not renewed", error=type(error).__name__)
            else:
                self._renewed_at_s = sent_at_s
            if self.lost:
                return
