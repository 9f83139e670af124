"""Measures status polls beside an empty endpoint, and the health check beside many clients that wait."""

import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from statistics import median

from tests.bench.measures import ROUNDS, Bench, Figure, rounds_text
from tests.bench.servers import empty_app
from tests.conftest import ROOT

CONNECTIONS = 16
ROUND_S = 4
LISTENERS = 500
WAITERS = 1000
WAIT_S = 30


def status_polls(bench: Bench) -> list[Figure]:
    record = bench.upload(bench.music(1))
    bench.wait(record)
    found = []
    with empty_app() as port:
        for _ in range(ROUNDS):
            empty, _ = _load(port, "/")
            polls, _ = _load(bench.stack.api_port, f"/records/{record['id']}")
            found.append(polls / empty)
    bench.delete(record)
    what = "status polls per second of one API process, divided by those of an empty `def` endpoint"
    return [Figure(what, f"{median(found):.2f}", "≥ 0.50", rounds_text(found))]


def many_waiting(bench: Bench) -> list[Figure]:
    """Measure while many clients wait for a record that converts for longer than the measurement."""
    record = bench.upload(bench.music(5 * 3600))
    events = f"GET /records/{record['id']}/events HTTP/1.1\r\nHost: bench\r\n\r\n"
    wait = f"GET /records/{record['id']} HTTP/1.1\r\nHost: bench\r\nPrefer: wait={WAIT_S}\r\n\r\n"
    with ExitStack() as opened:
        for request in [events] * LISTENERS + [wait] * WAITERS:
            address = ("127.0.0.1", bench.stack.api_port)
            connection = opened.enter_context(socket.create_connection(address))
            connection.sendall(request.encode())
        time.sleep(2)
        _, p95_ms = _load(bench.stack.api_port, "/health/live", connections=1, duration_s=15)
    bench.delete(record)
    what = f"`/health/live` beside {LISTENERS} event streams and {WAITERS} waiting requests, p95"
    return [Figure(what, f"{p95_ms:.1f} ms", "≤ 50 ms", "15 s")]


def _load(
    port: int, path: str, connections: int = CONNECTIONS, duration_s: float = ROUND_S
) -> tuple[float, float]:
    """Return the answers per second and the 95th percentile of their times in ms."""
    arguments = [str(port), path, str(connections), str(duration_s)]
    command = [sys.executable, "-m", "tests.bench.http_load", *arguments]
    printed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    per_s, p95_ms = map(float, printed.split())
    return per_s, p95_ms
