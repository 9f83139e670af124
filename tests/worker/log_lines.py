"""The lines that a module logs, as dictionaries."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

import pytest
import structlog
from structlog.testing import capture_logs
from structlog.typing import EventDict


@contextmanager
def log_lines(module: ModuleType) -> Iterator[list[EventDict]]:
    """Yield a list that gets each line as the module logs it."""
    with capture_logs() as lines, pytest.MonkeyPatch.context() as patch:
        # A new logger, because a used one may keep its processors.
        patch.setattr(module, "log", structlog.get_logger())
        yield lines
