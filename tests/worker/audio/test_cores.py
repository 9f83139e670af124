import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from tests.conftest import ROOT
from worker.audio import own_core

pytestmark = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity"), reason="only Linux can tie a process to a core"
)


@contextmanager
def tied_to(cores: set[int]) -> Iterator[None]:
    """Restrict processes that are started here to these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def worker(concurrency: int, cores: set[int]) -> Iterator[Iterator[tuple[int, str]]]:
    """Start a real worker and yield the reports of its processes: the id and the core of each."""
    command = [sys.executable, "-m", "celery", "-A", "tests.worker.audio.core_reports", "worker"]
    command += ["--concurrency", str(concurrency), "--without-gossip", "--without-mingle"]
    with tied_to(cores):
        popen = subprocess.Popen(command, cwd=ROOT, stdout=-1, stderr=-3, text=True)
    with popen:
        assert popen.stdout is not None
        try:
            words = map(str.split, popen.stdout)
            yield ((int(line[1]), line[2]) for line in words if line[:1] == ["core"])
        finally:
            parent = psutil.Process(popen.pid)
            for process in [parent, *parent.children(recursive=True)]:
                process.kill()


def two_cores() -> set[int]:
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        pytest.skip("needs two cores")
    return set(cores)


@pytest.mark.slow
def test_each_process_has_its_own_core() -> None:
    cores = two_cores()
    with worker(2, cores) as reports:
        by_pid = dict([next(reports), next(reports)])
        assert {int(core) for core in by_pid.values()} == cores
        lost = next(iter(by_pid))
        psutil.Process(lost).kill()
        assert next(reports)[1] == by_pid[lost]  # the process that replaces it


@pytest.mark.slow
@pytest.mark.parametrize("concurrency", [1, 3])
def test_other_process_counts_get_no_core(concurrency: int) -> None:
    with worker(concurrency, two_cores()) as reports:
        assert [next(reports)[1] for _ in range(concurrency)] == ["None"] * concurrency


def test_no_core_outside_a_worker() -> None:
    assert own_core() is None
