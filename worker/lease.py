"""Keeps what a worker has claimed, for as long as it works on it."""

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
    """Renews a claim every second, in a thread, while the `with` block runs; `check` raises LeaseLost once it is lost.

    `renew` says whether the claim still holds. A database that does not answer is asked again, until the lease of
    `lease_s` seconds must have run out.
    """

    def __init__(self, renew: Callable[[], bool], lease_s: float) -> None:
        self._renew = renew
        self._lease_s = lease_s
        self._renewed_at = time.monotonic()
        self._ended = Event()
        self._thread = Thread(target=self._keep, daemon=True)
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
        if self.lost or time.monotonic() - self._renewed_at > self._lease_s:
            raise LeaseLost

    def _keep(self) -> None:
        while not self._ended.wait(RENEW_EVERY_S):
            asked_at = time.monotonic()
            try:
                self.lost = not self._renew()
            except SQLAlchemyError as error:
                log.warning("lease not renewed", error=type(error).__name__)
            else:
                self._renewed_at = asked_at
            if self.lost:
                return
