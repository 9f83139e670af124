"""The watch reports an entry whose state did not change for long enough."""

import time

import pytest

from worker.unchanged import UnchangedWatch

NOW_S = 1000.0


class Clock:
    """The monotonic clock, moved by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = NOW_S
        monkeypatch.setattr(time, "monotonic", lambda: self.now_s)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_an_unchanged_state_is_reported_after_its_time(clock: Clock) -> None:
    watch = UnchangedWatch[str, int](10)
    assert watch.unchanged({"a": 1, "b": 1}) == {}
    clock.now_s += 9
    assert watch.unchanged({"a": 1, "b": 2}) == {}
    clock.now_s += 1
    assert watch.unchanged({"a": 1, "b": 2}) == {"a": 1}
    clock.now_s += 9
    assert watch.unchanged({"a": 1, "b": 2}) == {"a": 1, "b": 2}


def test_an_entry_that_was_away_starts_again(clock: Clock) -> None:
    watch = UnchangedWatch[str, int](10)
    watch.unchanged({"a": 1})
    watch.unchanged({})
    clock.now_s += 10
    assert watch.unchanged({"a": 1}) == {}


def test_wall_clocks_do_not_matter(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = UnchangedWatch[str, int](10)
    watch.unchanged({"a": 1})
    monkeypatch.setattr(time, "time", lambda: -3600)
    clock.now_s += 10
    assert watch.unchanged({"a": 1}) == {"a": 1}
