"""Distributes the tests over processes: the hooks of pytest that tests/conftest.py exports."""

import os
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling, Scheduling
from xdist.workermanage import WorkerController

LONGEST_FIRST = ("faults", "browser", "generated_clients")
"""The folders with the longest files."""


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Run more processes than there are cores. Tests with a stack wait most of the time. Six stacks need 6 GB."""
    cores = os.cpu_count() or 1
    has_stack = "not stack" not in config.option.markexpr
    return min(8, 2 * cores) if has_stack else min(6, 1 + cores)


class FromBothEnds(LoadFileScheduling):  # type: ignore[misc]  # xdist exports no types
    """Every fourth process takes the last files, which need no stack, so that it starts none.

    The others take the first files, which need a stack and wait: meanwhile the fourth uses the processor.
    """

    def _assign_work_unit(self, node: WorkerController) -> None:
        if self.nodes.index(node) % 4 == 3:
            self.workqueue.move_to_end(next(reversed(self.workqueue)), last=False)
        super()._assign_work_unit(node)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling | None:
    return FromBothEnds(config, log) if config.option.dist == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need a running service. Run the longest files first, so that all processes end together."""
    stack_files = set()
    for item in items:
        assert isinstance(item, pytest.Function)
        if {"stack", "service_url"} & set(item.fixturenames):
            item.add_marker("stack")
            stack_files.add(item.path)
    items.sort(key=lambda item: (item.path not in stack_files, _place(item.path)))


def _place(path: Path) -> int:
    folder = path.relative_to(Path(__file__).parent).parts[0]
    return LONGEST_FIRST.index(folder) if folder in LONGEST_FIRST else len(LONGEST_FIRST)
