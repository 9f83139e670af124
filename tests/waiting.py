"""Wait for an event instead of sleeping. Deadlines are generous: they only end a test that would never pass."""

import inspect
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import psutil

WITHIN_S = 60
"""much longer than anything takes, even on a busy machine"""
EVERY_S = 0.05

T = TypeVar("T")


def until(
    condition: Callable[[], T],
    within_s: float = WITHIN_S,
    *,
    every_s: float = EVERY_S,
    state: Callable[[], object] | None = None,
) -> T:
    """Return the first true value of `condition`. After `within_s` fail with its source and with `state`."""
    deadline = time.monotonic() + within_s
    while not (value := condition()):
        if time.monotonic() > deadline:
            at_the_end = value if state is None else state()
            raise AssertionError(f"Not within {within_s} s: {_source(condition)}\n{at_the_end}")
        time.sleep(every_s)
    return value


def is_running(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _source(condition: Callable[[], object]) -> str:
    try:
        return inspect.getsource(condition).strip()
    except (OSError, TypeError):
        return repr(condition)
