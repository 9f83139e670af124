"""Measures the health check beside crowds of bad clients, and the time until nothing of them remains."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psutil

from tests.bench.measures import Bench, Figure
from tests.conftest import ROOT
from tests.faults.crowds import CROWDS, Target
from tests.waiting import until
from tests.worker.processes import suspended

POLITE_CONNECTIONS = 3
"""The connections of the bench itself."""


def bad_clients(bench: Bench) -> list[Figure]:
    """Measure beside each crowd. Suspend the workers, so that a record waits."""
    with suspended(bench.stack.pid("worker"), bench.stack.pid("clips")):
        record = bench.upload(bench.music(1))
        target = Target(bench.stack.api_port, bench.credentials, record["id"])
        figures = [figure for name in CROWDS for figure in _measure(bench, name, target)]
        bench.delete(record)
    return figures


def _measure(bench: Bench, name: str, target: Target) -> list[Figure]:
    times_s: list[float] = []
    with ExitStack() as held, _live_times_s(bench.stack.api_url, times_s):
        for connection in CROWDS[name](target):
            held.callback(connection.close)
        ended_s = time.monotonic()
        until(lambda: _connections(bench) <= POLITE_CONNECTIONS and not bench.uploading())
        gone_s = time.monotonic() - ended_s
    live = f"`/health/live` during {name}, longest"
    return [
        Figure(live, f"{max(times_s):.2f} s", "≤ 0.5 s", f"{len(times_s)} answers"),
        Figure(f"until nothing remains of {name}", f"{gone_s:.1f} s", "≤ 15 s", "1"),
    ]


def _connections(bench: Bench) -> int:
    found = psutil.Process(bench.stack.pid("api")).net_connections("tcp")
    port = bench.stack.api_port
    return sum(each.laddr.port == port and each.status != "LISTEN" for each in found)


@contextmanager
def _live_times_s(url: str, times_s: list[float]) -> Iterator[None]:
    command = [sys.executable, "-m", "tests.faults.ask_live", url]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as asking:
        assert asking.stdout is not None
        asking.stdout.readline()
        yield
        asking.terminate()
        times_s += map(float, asking.stdout.read().split())
