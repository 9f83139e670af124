"""Finds things that did not change for some time, measured by a monotonic clock."""

import time
from collections.abc import Hashable, Mapping
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
State = TypeVar("State")


class UnchangedWatch(Generic[Key, State]):
    """Compares current states with earlier ones: renewals of leases, files on the volume.

    It uses no wall clock, because the wall clocks of machines differ and jump. A new watch has no memory: it reports
    nothing during the first `unchanged_s` seconds.
    """

    def __init__(self, unchanged_s: float) -> None:
        self._unchanged_s = unchanged_s
        self._seen: dict[Key, tuple[State, float]] = {}

    def unchanged(self, current: Mapping[Key, State]) -> dict[Key, State]:
        """Return the entries of `current` that have had the same state for `unchanged_s` seconds or longer.

        Forget the entries that are no longer in `current`.
        """
        now_s = time.monotonic()
        self._seen = {
            key: self._seen[key] if self._has_state(key, state) else (state, now_s)
            for key, state in current.items()
        }
        return {
            key: state
            for key, (state, since_s) in self._seen.items()
            if now_s - since_s >= self._unchanged_s
        }

    def _has_state(self, key: Key, state: State) -> bool:
        return key in self._seen and self._seen[key][0] == state
