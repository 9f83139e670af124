"""Serves the application that does nothing, as the API is served."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from local.machine import free_port, is_answering
from tests.conftest import ROOT


@contextmanager
def empty_app() -> Iterator[int]:
    """Yield its port."""
    port = free_port()
    arguments = ["--port", str(port), "--loop", "uvloop", "--http", "httptools", "--no-access-log"]
    command = [sys.executable, "-m", "uvicorn", "tests.bench.empty_app:app", *arguments]
    with subprocess.Popen([*command, "--log-level", "warning"], cwd=ROOT) as server:
        while not is_answering(port):
            time.sleep(0.1)
        yield port
        server.terminate()
