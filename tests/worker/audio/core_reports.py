"""`celery -A tests.worker.audio.core_reports worker` prints a line for each process: "core", its id and its core."""

import os
from typing import Any

from celery import Celery, signals

from worker.audio import own_core

app = Celery(broker="memory://")


@signals.worker_process_init.connect
def report(**_: Any) -> None:
    os.write(1, f"core {os.getpid()} {own_core()}\n".encode())  # Celery turns prints into log lines
